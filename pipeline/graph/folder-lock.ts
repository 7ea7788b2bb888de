// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { NO_LINKS } from '../../graph-tools/alias.ts'
import { Failure } from '../shared/failure.ts'
import { takeLock } from '../shared/lock.ts'
import { requireWritable } from '../shared/writable.ts'

/** The file that is there while a command rewrites a folder; that of a process that is gone is taken over. */
export const LOCK = '.graph-tools-lock'

/**
 * Do some work while no other graph command rewrites the same folders.
 * @throws Failure when another one is at work there
 */
export async function withFolders<T>(folders: readonly string[], work: () => Promise<T>): Promise<T> {
  const releases: (() => Promise<void>)[] = []
  try {
    for (const folder of [...new Set(folders)].sort()) releases.push(await lock(folder))
    return await work()
  } finally {
    for (const release of releases) await release()
  }
}

async function lock(folder: string): Promise<() => Promise<void>> {
  await requireWritable(folder, 'The folder', 'Copy its files to a folder that you can write.')
  try {
    return await takeLock(join(folder, LOCK), folder)
  } catch (error) {
    if (error instanceof Failure) throw new Failure(error.message, 'Wait for it to end.')
    // Locks are hard links: where there are none, nobody is kept out.
    if (NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) return async () => {}
    throw error
  }
}
