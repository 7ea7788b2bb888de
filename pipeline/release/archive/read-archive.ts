// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract, type Header } from 'tar-stream'
import { linkOrCopy } from '../../../graph-tools/alias.ts'
import { EXIT, Failure } from '../../shared/failure.ts'
import { hashed } from './hashed.ts'

type Entry = Readable & { readonly header: Header }

const READ_BYTES = 1 << 20
const NAME = /^([\w][\w.-]*)\/([\w][\w.-]*)$/

/** Headers and padding of a member, extended names of other writers included. */
const MEMBER_OVERHEAD = 8 << 10
/** A writer fills its last record with zeros. */
const TRAILER_BYTES = 1 << 20
/** Of the disk, not of the archive. */
const OF_DISK = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'ENOENT', 'EIO', 'EFBIG', 'EMFILE'])
/** Writers of macOS store the attributes of a file beside it. */
const MACOS_NAME = /(^|\/)\._|(^|\/)(\.DS_Store|__MACOSX)$/

/** What an archive held; sizes in bytes, SHA-256 in hexadecimal. */
export interface Unpacked {
  /** the folder that everything was in */
  readonly top: string
  /** of the archive itself */
  readonly sha256: string
  readonly members: readonly { readonly name: string; readonly size: number; readonly sha256: string }[]
}

/** Name to size of the files that an archive may hold. */
export type Expected = ReadonlyMap<string, number>

interface Options {
  readonly signal: AbortSignal
  /** bytes of the archive */
  readonly onProgress: (done: number, total: number) => void
  /**
   * What may be in it, by its folder's name; undefined for a folder that is not known. Nothing else is written, and no
   * byte beyond these sizes.
   */
  expected(top: string): Expected | undefined
  /** bytes that the largest archive holds, for a limit before any name is known */
  readonly maxBytes: number
}

/**
 * Unpack a release's tar.gz into `folder`, hashing the archive and every member on the way. Nothing is taken but the
 * expected files, each once and of the expected size, of one folder; hard links are taken between them.
 * @throws Failure when it holds something else, is cut off, damaged, or no such archive; the system's error for a full disk
 */
export async function readArchive(path: string, folder: string, options: Options): Promise<Unpacked> {
  const { size: total } = await stat(path)
  const hash = createHash('sha256')
  let done = 0
  const onBytes = (count: number) => {
    done += count
    options.onProgress(done, total)
  }
  const counted = (chunks: AsyncIterable<Buffer>) => hashed(chunks, hash, onBytes)
  const tar = extract()
  await mkdir(folder, { recursive: true })
  const source = createReadStream(path, { highWaterMark: READ_BYTES })
  const { signal } = options
  const reading = pipeline(
    ...[source, counted, createGunzip({ chunkSize: READ_BYTES }), limited(options.maxBytes), tar],
    { signal },
  )
  reading.catch(() => undefined) // the loop below ends with it
  try {
    const unpacked = await unpack(tar as AsyncIterable<Entry>, folder, options)
    await reading
    return { ...unpacked, sha256: hash.digest('hex') }
  } catch (error) {
    signal.throwIfAborted()
    if (isKnown(error)) throw error
    const cause = await reading.then(
      () => error,
      (fault) => fault,
    )
    throw isKnown(cause) ? cause : damaged(path, cause)
  }
}

/** A few kilobytes of gzip can hold terabytes of zeros, in a header or behind the last member. */
function limited(maxBytes: number) {
  return async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let left = maxBytes
    for await (const chunk of chunks) {
      left -= chunk.length
      if (left < 0) throw refused(`The archive unpacks to more than the ${maxBytes} bytes that it may have.`)
      yield chunk
    }
  }
}

/** Bytes of a tar stream with these files, at most. */
export function tarLimit(files: Expected): number {
  const sizes = [...files.values()]
  return sizes.reduce((sum, size) => sum + size + MEMBER_OVERHEAD, TRAILER_BYTES)
}

interface Member {
  readonly name: string
  readonly size: number
  readonly sha256: string
}

async function unpack(
  tar: AsyncIterable<Entry>,
  folder: string,
  { signal, expected }: Options,
): Promise<Omit<Unpacked, 'sha256'>> {
  const members = new Map<string, Member>()
  let top: string | undefined
  let files: Expected | undefined
  for await (const entry of tar) {
    const { name, type, linkname, size = 0 } = entry.header
    const [, place = '', base = ''] = NAME.exec(name) ?? []
    const isKnownType = type === 'file' || type === 'contiguous-file' || type === 'link'
    const isOther = top !== undefined && place !== top
    if (base === '' || isOther || members.has(base) || !isKnownType) throw strange(name, type)
    top = place
    files ??= expected(top)
    const wanted = files?.get(base)
    if (wanted === undefined)
      throw refused(`The archive holds ${JSON.stringify(name)}, which the manifest does not name.`, name)
    if (type === 'link') {
      members.set(base, await linkMember(members, folder, base, linkname ?? '', top, wanted))
    } else {
      if (size !== wanted) throw refused(`The archive holds ${name} with ${size} bytes, wanted ${wanted}.`)
      members.set(base, await writeMember(entry, folder, base, signal))
    }
    entry.resume()
  }
  if (top === undefined) throw new Failure('The archive is empty.', 'Download it again.')
  return { top, members: [...members.values()] }
}

async function writeMember(entry: Entry, folder: string, name: string, signal: AbortSignal): Promise<Member> {
  const hash = createHash('sha256')
  let size = 0
  const measured = hashed(entry as AsyncIterable<Buffer>, hash, (count) => {
    size += count
  })
  const file = await open(join(folder, name), 'wx') // a name that is there already, in any case, is not written over
  try {
    await writeFile(file, measured, { signal })
  } finally {
    await file.close()
  }
  return { name, size, sha256: hash.digest('hex') }
}

async function linkMember(
  members: ReadonlyMap<string, Member>,
  folder: string,
  name: string,
  target: string,
  top: string,
  wanted: number,
): Promise<Member> {
  const known = dirname(target) === top ? members.get(basename(target)) : undefined
  if (!known) throw strange(`${name} -> ${target}`, 'link')
  if (known.size !== wanted)
    throw refused(`The archive holds ${name} with ${known.size} bytes, wanted ${wanted}.`)
  await linkOrCopy(join(folder, known.name), join(folder, name))
  return { ...known, name }
}

function strange(name: string, type: string | null | undefined): Failure {
  const found = `The archive holds ${JSON.stringify(name)} (${type ?? 'unknown'})`
  return refused(`${found}, wanted files in one folder, each once.`, name)
}

/** @param name of a member that may be macOS's */
function refused(message: string, name = ''): Failure {
  const hint = MACOS_NAME.test(name)
    ? 'macOS adds such files: make the archive with npm run package, or download it again.'
    : 'It is not an archive of this release, or was changed: download it again.'
  return new Failure(message, hint, EXIT.gate)
}

function damaged(path: string, error: unknown): Failure {
  const { message } = error as Error
  return new Failure(`${path} is damaged: ${message}.`, 'Download it again.')
}

/** Faults that say what is wrong; others are of the stream that they broke. */
function isKnown(error: unknown): boolean {
  return error instanceof Failure || OF_DISK.has((error as NodeJS.ErrnoException).code ?? '')
}
