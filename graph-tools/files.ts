import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { GraphError } from './graph-error.ts'
import type { Content, FileRange } from './splice.ts'

const CHUNK = 4 << 20

/**
 * Write `content` to `path` so that a reader sees the old file or the whole new one, never a part:
 * beside its place, fsync, rename.
 */
export async function writeWhole(path: string, content: readonly Content[]): Promise<void> {
  await writeBeside(path, async (file) => {
    for (const piece of content) await append(file, piece)
  })
}

/** Like {@link writeWhole} for a file that is produced piece by piece. */
export async function writeBeside(path: string, fill: (file: FileHandle) => Promise<void>): Promise<void> {
  const partial = `${path}.partial`
  const file = await open(partial, 'w')
  try {
    await fill(file)
    await file.sync()
  } catch (error) {
    await file.close()
    await rm(partial, { force: true })
    throw error
  }
  await file.close()
  await rename(partial, path)
}

/** Append bytes, or copy a range of another file in chunks. */
export async function append(file: FileHandle, piece: Content): Promise<void> {
  if (piece instanceof Uint8Array) {
    await writeAll(file, piece)
    return
  }
  for await (const chunk of readRange(piece)) await writeAll(file, chunk)
}

/**
 * A file's range in chunks of at most `size` bytes. Each chunk is valid until the next one is asked for.
 * @throws GraphError when the file ends before the range does
 */
export async function* readRange(range: FileRange, size = CHUNK): AsyncGenerator<Uint8Array> {
  const file = await openData(range.path)
  try {
    const buffer = Buffer.allocUnsafe(Math.min(size, Math.max(1, range.end - range.start)))
    for (let position = range.start; position < range.end; ) {
      const wanted = Math.min(buffer.length, range.end - position)
      await readExactly(file, buffer.subarray(0, wanted), position, range)
      yield buffer.subarray(0, wanted)
      position += wanted
    }
  } finally {
    await file.close()
  }
}

/** Whether two pieces hold the same bytes, compared byte by byte. */
export async function sameBytes(a: Content, b: Content): Promise<boolean> {
  const left = chunks(a)
  const right = chunks(b)
  try {
    for (;;) {
      const [one, other] = await Promise.all([left.next(), right.next()])
      if (one.done || other.done) return one.done === other.done
      if (Buffer.compare(one.value, other.value) !== 0) return false
    }
  } finally {
    await Promise.all([left.return(undefined), right.return(undefined)])
  }
}

/** Chunks of equal size whatever the piece is, so that two pieces can be walked side by side. */
async function* chunks(piece: Content): AsyncGenerator<Uint8Array> {
  if (!(piece instanceof Uint8Array)) yield* readRange(piece)
  else for (let start = 0; start < piece.length; start += CHUNK) yield piece.subarray(start, start + CHUNK)
}

async function openData(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new GraphError(
      `The data file ${path} is missing.`,
      'Keep a graph and its data files in one folder.',
    )
  }
}

async function readExactly(
  file: FileHandle,
  into: Uint8Array,
  position: number,
  range: FileRange,
): Promise<void> {
  let read = 0
  while (read < into.length) {
    const { bytesRead } = await file.read(into, read, into.length - read, position + read)
    if (bytesRead === 0) {
      throw new GraphError(
        `${range.path} ends at byte ${position + read}, but a tensor reaches to byte ${range.end}.`,
      )
    }
    read += bytesRead
  }
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, written)
    written += bytesWritten
  }
}
