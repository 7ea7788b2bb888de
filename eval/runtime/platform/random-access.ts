// SPDX-License-Identifier: Apache-2.0

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { irregularKind } from '../plain-file.ts'

/* Files of the system. random-access.web.ts takes this file's place in browsers. */

/** A file that is open for reading, at once and by place. */
export interface OpenFile {
  /** in bytes */
  readonly size: number
  /**
   * Fill `bytes` from byte `at` of the file on.
   * @returns how many were read: fewer than there is room for at the end of the file alone
   */
  read(bytes: Uint8Array, at: number): number
  close(): void
}

/** What stands at a path. */
export interface FileLook {
  /** in bytes */
  readonly size: number
  /** "a directory", "a FIFO", ...; undefined for a regular file */
  readonly irregular: string | undefined
}

/**
 * Open a file for reading.
 * @throws the system's error when it cannot be opened
 */
export function openFile(path: string): OpenFile {
  const file = openSync(path, 'r')
  return {
    size: fstatSync(file).size,
    read(bytes, at) {
      let done = 0
      while (done < bytes.length) {
        const count = readSync(file, bytes, done, bytes.length - done, at + done)
        if (count === 0) break
        done += count
      }
      return done
    },
    close: () => closeSync(file),
  }
}

/** Names of what is in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => [])
}

/**
 * Size and kind of what stands at a path; links are followed.
 * @returns undefined when nothing is there
 * @throws the system's error when it cannot be looked at
 */
export async function lookAt(path: string): Promise<FileLook | undefined> {
  try {
    const info = await stat(path)
    return { size: info.size, irregular: irregularKind(info) }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

/** The first bytes of a file, at most `count`. @throws the system's error when it cannot be read */
export async function readStart(path: string, count: number): Promise<Uint8Array> {
  const file = await open(path)
  try {
    const buffer = Buffer.alloc(count)
    const { bytesRead } = await file.read(buffer, 0, count, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
