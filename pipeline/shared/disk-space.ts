// SPDX-License-Identifier: Apache-2.0

import { statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { Failure } from './failure.ts'
import { formatBytes } from './output-files.ts'

/**
 * Bytes that this user may still write in a folder, or in the nearest folder above that is there.
 * @returns undefined where the system does not say
 */
export async function freeBytes(folder: string): Promise<number | undefined> {
  for (let place = resolve(folder); ; place = dirname(place)) {
    const found = await statfs(place).catch(() => undefined)
    if (found) return found.bavail * found.bsize
    if (dirname(place) === place) return undefined
  }
}

/**
 * Say that a disk is too small before work of minutes fills it.
 * @param what needs the space, as the subject of a sentence
 * @throws Failure when less than `bytes` are free
 */
export async function requireSpace(folder: string, bytes: number, what: string, hint: string): Promise<void> {
  const free = await freeBytes(folder)
  if (free === undefined || free >= bytes) return
  throw new Failure(
    `${what} needs ${formatBytes(bytes)} in ${folder}, but only ${formatBytes(free)} are free.`,
    hint,
  )
}

/** Whether a disk or a quota is full. */
export function isFull(error: unknown): boolean {
  const { code } = (error ?? {}) as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}
