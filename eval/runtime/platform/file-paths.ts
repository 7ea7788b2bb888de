// SPDX-License-Identifier: Apache-2.0

import { realpathSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Paths as Node's `path` has them on this system. */
export const { basename, dirname, join } = path

/** Where a link leads; the path itself when nothing is there. */
export function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}

/**
 * The path of a file that a URL names.
 * @param url `file:`
 * @throws TypeError when it does not name a path of this system
 */
export function pathOf(url: URL): string {
  return fileURLToPath(url)
}
