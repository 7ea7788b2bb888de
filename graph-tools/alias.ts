// SPDX-License-Identifier: Apache-2.0

import { copyFile, link, rm, stat } from 'node:fs/promises'
import { syncFile } from './files.ts'
import { renameOver } from './rename-over.ts'

/* Second names of files. */

/** What a file system answers that has no hard links, or none across this boundary. */
export const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EMLINK', 'ENOSYS'])

/**
 * Give `target` a second name: a hard link where the file system can, else a copy. An older file of that name is
 * replaced at once: a reader sees the old one or the new one.
 * @returns which of the two it became
 * @throws the system's error when there is no target, or the name cannot be made
 */
export async function alias(target: string, name: string): Promise<'link' | 'copy'> {
  // rename() between two names of one file does nothing and keeps both (POSIX).
  if (await isSameFile(target, name)) return 'link'
  const partial = `${name}.partial`
  await rm(partial, { force: true })
  const kind = await linkOrCopy(target, partial)
  await renameOver(partial, name)
  return kind
}

async function isSameFile(target: string, name: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(target), stat(name).catch(() => undefined)])
  return one.ino === other?.ino && one.dev === other.dev
}

/**
 * Make `name` a hard link of `target`, or a synced copy where there can be none.
 * @returns which of the two it became
 * @throws the system's error
 */
export async function linkOrCopy(target: string, name: string): Promise<'link' | 'copy'> {
  try {
    await link(target, name)
    return 'link'
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    await copyFile(target, name)
    await syncFile(name)
    return 'copy'
  }
}
