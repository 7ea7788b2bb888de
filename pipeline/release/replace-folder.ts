// SPDX-License-Identifier: Apache-2.0

import { rm } from 'node:fs/promises'
import { renameOver } from '../../graph-tools/rename-over.ts'
import { exists } from '../shared/output-files.ts'

/** Where a folder is while another takes its place. */
const asideOf = (place: string) => `${place}.old`

/** rename() onto a folder that is not empty (POSIX allows either code). */
const OCCUPIED = new Set(['ENOTEMPTY', 'EEXIST'])
const ATTEMPTS = 5

/**
 * Put back what a kill between the two renames has left aside. Every command that looks for the folder calls this first:
 * no system call that Node offers exchanges two folders.
 */
export async function recoverFolder(place: string): Promise<void> {
  if ((await exists(place)) || !(await exists(asideOf(place)))) return
  await renameOver(asideOf(place), place).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && !OCCUPIED.has(error.code ?? '')) throw error // another process was faster
  })
}

/**
 * Put the folder `fresh` in the place of another, which stays until then, and when this fails.
 * @throws the system's error
 */
export async function replaceFolder(fresh: string, place: string): Promise<void> {
  const aside = asideOf(place)
  for (let attempt = 1; ; attempt++) {
    await recoverFolder(place)
    await rm(aside, { recursive: true, force: true })
    if (await exists(place)) await renameOver(place, aside)
    try {
      await renameOver(fresh, place)
      break
    } catch (error) {
      // A reader that came between the two renames has put the old one back.
      const isOccupied = OCCUPIED.has((error as NodeJS.ErrnoException).code ?? '')
      if (isOccupied && attempt < ATTEMPTS) continue
      await recoverFolder(place)
      throw error
    }
  }
  await rm(aside, { recursive: true, force: true })
}
