// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { PageChoices } from './build-page.ts'

const source = (name: string) =>
  readFile(fileURLToPath(new URL(`../../eval/${name}`, import.meta.url)), 'utf8')

/** index.html with what was chosen when the page was built. */
export async function pageHtml({ hub, release = '' }: PageChoices): Promise<string> {
  const html = await source('page/index.html')
  return html.replace('{hub}', attribute(hub)).replace('{release}', attribute(release))
}

/** The colours of the evaluation's page, and the looks of this one. */
export async function pageStyle(): Promise<string> {
  return `${await source('report/colours.css')}${await source('page/page.css')}`
}

function attribute(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')
}
