import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack } from 'tar-stream'

const GZIP_LEVEL = 6

interface Options {
  readonly signal: AbortSignal
  readonly onProgress: (done: number, total: number) => void
}

/**
 * Write a tar.gz that depends on names and contents alone: sorted entries, time 0, owner 0, mode 644.
 * @param top folder that all entries are in
 * @returns sha256 of the archive
 */
export async function writeArchive(
  path: string,
  top: string,
  files: readonly string[],
  { signal, onProgress }: Options,
): Promise<string> {
  const sorted = [...files].sort((a, b) => (basename(a) < basename(b) ? -1 : 1))
  const sizes = await Promise.all(sorted.map(async (file) => (await stat(file)).size))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const archive = pack()
  const hash = createHash('sha256')
  const partial = `${path}.partial`
  let done = 0
  const count = (bytes: number) => {
    done += bytes
    onProgress(done, total)
  }
  try {
    await Promise.all([
      addFiles(archive, top, sorted, sizes, count, signal),
      pipeline(archive, createGzip({ level: GZIP_LEVEL }), hashing(hash), createWriteStream(partial), {
        signal,
      }),
    ])
    await sync(partial)
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    throw error
  }
  return hash.digest('hex')
}

/** sha256 of a file, streamed. */
export async function sha256Of(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash, { signal })
  return hash.digest('hex')
}

async function addFiles(
  archive: ReturnType<typeof pack>,
  top: string,
  files: readonly string[],
  sizes: readonly number[],
  count: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const [i, file] of files.entries()) {
    const header = {
      name: join(top, basename(file)),
      size: sizes[i] ?? 0,
      mtime: new Date(0),
      mode: 0o644,
      uid: 0,
      gid: 0,
    }
    const entry = archive.entry(header)
    const meter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        count(chunk.length)
        done(null, chunk)
      },
    })
    await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), meter, entry, { signal })
  }
  archive.finalize()
}

function hashing(hash: ReturnType<typeof createHash>): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r+')
  await file.sync()
  await file.close()
}
