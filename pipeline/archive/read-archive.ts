import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { link, mkdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract, type Header } from 'tar-stream'
import { Failure } from '../failure.ts'
import { hashed } from './hashed.ts'

type Entry = Readable & { readonly header: Header }

const READ_BYTES = 1 << 20
const NAME = /^([\w][\w.-]*)\/([\w][\w.-]*)$/

export interface Unpacked {
  /** the folder that everything was in */
  readonly top: string
  /** of the archive itself */
  readonly sha256: string
  readonly members: readonly { readonly name: string; readonly size: number; readonly sha256: string }[]
}

interface Options {
  readonly signal: AbortSignal
  /** bytes of the archive */
  readonly onProgress: (done: number, total: number) => void
}

/**
 * Unpack a release's tar.gz into `folder`, hashing the archive and every member on the way. Nothing but files (and hard
 * links to them) of one folder is taken: no path leads out of it.
 * @throws Failure when it is cut off, damaged, or no such archive
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
  const reading = pipeline(source, counted, createGunzip({ chunkSize: READ_BYTES }), tar, options)
  reading.catch(() => undefined) // the loop below ends with it
  try {
    const unpacked = await unpack(tar as AsyncIterable<Entry>, folder, options.signal)
    await reading
    return { ...unpacked, sha256: hash.digest('hex') }
  } catch (error) {
    options.signal.throwIfAborted()
    const cause = await reading.then(
      () => error,
      (fault) => fault,
    )
    const known = error instanceof Failure ? error : cause
    throw known instanceof Failure || isOfDisk(known) ? known : damaged(path, known)
  }
}

async function unpack(
  tar: AsyncIterable<Entry>,
  folder: string,
  signal: AbortSignal,
): Promise<Omit<Unpacked, 'sha256'>> {
  const members = new Map<string, { name: string; size: number; sha256: string }>()
  let top: string | undefined
  for await (const entry of tar) {
    const { name, type, linkname } = entry.header
    const [, place = '', base = ''] = NAME.exec(name) ?? []
    if (base === '' || (top !== undefined && place !== top) || members.has(base)) throw strange(name, type)
    top = place
    if (type === 'file' || type === 'contiguous-file')
      members.set(base, await writeMember(entry, folder, base, signal))
    else if (type === 'link') members.set(base, await linkMember(members, folder, base, linkname ?? '', top))
    else throw strange(name, type)
    entry.resume()
  }
  if (top === undefined) throw new Failure('The archive is empty.', 'Download it again.')
  return { top, members: [...members.values()] }
}

async function writeMember(entry: Entry, folder: string, name: string, signal: AbortSignal) {
  const hash = createHash('sha256')
  let size = 0
  const measured = (chunks: AsyncIterable<Buffer>) =>
    hashed(chunks, hash, (count) => {
      size += count
    })
  await pipeline(entry, measured, createWriteStream(join(folder, name)), { signal })
  return { name, size, sha256: hash.digest('hex') }
}

async function linkMember(
  members: ReadonlyMap<string, { name: string; size: number; sha256: string }>,
  folder: string,
  name: string,
  target: string,
  top: string,
) {
  const known = dirname(target) === top ? members.get(basename(target)) : undefined
  if (!known) throw strange(`${name} -> ${target}`, 'link')
  await link(join(folder, known.name), join(folder, name))
  return { ...known, name }
}

function strange(name: string, type: string | null | undefined): Failure {
  return new Failure(
    `The archive holds ${JSON.stringify(name)} (${type ?? 'unknown'}), wanted files in one folder, each once.`,
    'It is no archive of this project, or was changed: download it again.',
  )
}

function damaged(path: string, error: unknown): Failure {
  const { message } = error as Error
  return new Failure(`${path} is damaged: ${message}.`, 'Download it again.')
}

function isOfDisk(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT', 'EACCES', 'EROFS', 'ENOENT'].includes(
    (error as NodeJS.ErrnoException).code ?? '',
  )
}
