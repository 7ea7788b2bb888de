// SPDX-License-Identifier: Apache-2.0

import { access, constants, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { EXIT, Failure } from './failure.ts'

/* Whether folders can be written, before work begins. */

/**
 * Refuse a place that this user cannot write, before minutes of work for it. Nothing is made there. Systems that do not
 * report it beforehand (some network drives) fail at the first write.
 * @param folder that will be made, or is there
 * @param what the folder is, as the subject of a sentence: an option, or words
 * @param remedy what else to give
 * @throws Failure with found and wanted
 */
export async function requireWritable(folder: string, what: string, remedy: string): Promise<void> {
  const found = await obstacle(resolve(folder))
  if (found === undefined) return
  throw new Failure(
    `${what} ${folder} cannot be written: ${found}, wanted a folder to write in.`,
    remedy,
    EXIT.failed,
  )
}

/** Whether this user can write in a folder, or make it. */
export async function isWritable(folder: string): Promise<boolean> {
  return (await obstacle(resolve(folder))) === undefined
}

/** What keeps a user from writing in a folder, or from making it in the nearest one that is there. */
async function obstacle(folder: string): Promise<string | undefined> {
  for (let place = folder; ; place = dirname(place)) {
    try {
      const info = await stat(place)
      if (!info.isDirectory()) return `found that ${place} is a file`
      await access(place, constants.W_OK | constants.X_OK)
      return undefined
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      // A file in the way of the path is looked at itself, one step up.
      const isAbsent = code === 'ENOENT' || code === 'ENOTDIR'
      if (!isAbsent || dirname(place) === place) return reasonOf(code, place)
    }
  }
}

function reasonOf(code: string, place: string): string {
  if (code === 'EROFS') return `found ${place} on a read-only file system`
  if (code === 'EACCES' || code === 'EPERM') return `found no permission for this user in ${place}`
  return `found ${code} for ${place}`
}
