// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Pack, pack } from 'tar-stream'
import { renameOver } from '../../../graph-tools/rename-over.ts'
import { gzip } from './gzip.ts'
import { hashed } from './hashed.ts'

const READ_BYTES = 1 << 20
/** Thousands download what is compressed once: level 1 is a third faster, and its archives 3 % larger (docs/measurements.md). */
const DEFAULT_LEVEL = 6

/** How an archive is written: `level` is gzip's. */
export interface ArchiveOptions {
  readonly level?: number
  readonly signal: AbortSignal
  /** bytes before compression */
  readonly onProgress: (done: number, total: number) => void
}

/** What was written. */
export interface Archive {
  readonly size: number
  readonly sha256: string
}

interface Member {
  readonly path: string
  readonly name: string
  readonly size: number
  /** of a member before with the same content */
  readonly linkname?: string
}

/**
 * Write a tar.gz that depends on names and contents alone: sorted entries, time 0, owner 0, mode 644. A file with two
 * names is stored once. It appears under its name when it is complete.
 * @param top folder that all entries are in
 * @param files paths, of different base names
 * @throws the system's error; nothing stays
 */
export async function writeArchive(
  path: string,
  top: string,
  files: readonly string[],
  options: ArchiveOptions,
): Promise<Archive> {
  const { level = DEFAULT_LEVEL, signal, onProgress } = options
  const members = await membersOf(top, files)
  const total = members.reduce((sum, { size, linkname }) => sum + (linkname === undefined ? size : 0), 0)
  const archive = pack()
  archive.on('error', () => {}) // thrown by what fails below; who reads the archive may have stopped before
  const hash = createHash('sha256')
  const partial = `${path}.partial`
  let done = 0
  const count = (bytes: number) => {
    done += bytes
    onProgress(done, total)
  }
  const file = await open(partial, 'w')
  try {
    try {
      await Promise.all([
        addMembers(archive, members, count, signal).catch((error) => {
          archive.destroy(error)
          throw error
        }),
        writeFile(file, hashed(gzip(archive as AsyncIterable<Buffer>, { level }), hash), { signal }),
      ])
      await file.sync()
    } finally {
      await file.close()
    }
    await renameOver(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
  return { size: (await stat(path)).size, sha256: hash.digest('hex') }
}

async function membersOf(top: string, files: readonly string[]): Promise<Member[]> {
  const sorted = [...files].sort((a, b) => (basename(a) < basename(b) ? -1 : 1))
  const seen = new Map<string, string>()
  const members: Member[] = []
  for (const path of sorted) {
    const { size, dev, ino } = await stat(path)
    const name = join(top, basename(path))
    const linkname = seen.get(`${dev}:${ino}`)
    seen.set(`${dev}:${ino}`, linkname ?? name)
    members.push({ path, name, size, ...(linkname !== undefined && { linkname }) })
  }
  return members
}

async function addMembers(
  archive: Pack,
  members: readonly Member[],
  count: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const { path, name, size, linkname } of members) {
    const header = { name, mtime: new Date(0), mode: 0o644, uid: 0, gid: 0 }
    if (linkname !== undefined) {
      archive.entry({ ...header, type: 'link', linkname, size: 0 })
      continue
    }
    const counted = async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        count(chunk.length)
        yield chunk
      }
    }
    const reading = createReadStream(path, { highWaterMark: READ_BYTES })
    await pipeline(reading, counted, archive.entry({ ...header, size }), { signal })
  }
  archive.finalize()
}
