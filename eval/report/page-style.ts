// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'

/** The style sheet of the pages of an evaluation, in colours that the page for browsers has too. */
export async function pageStyle(): Promise<string> {
  const names = ['./colours.css', './page.css']
  const files = await Promise.all(names.map((name) => readFile(new URL(name, import.meta.url), 'utf8')))
  return files.join('')
}
