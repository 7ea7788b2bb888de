import { type FileHandle, open, rm } from 'node:fs/promises'
import type { Content, FileRange } from './bytes.ts'
import { GraphError } from './graph-error.ts'

const CHUNK = 4 << 20

/** Where a long write has come to, in bytes. */
export type OnBytes = (done: number) => void

/**
 * Write pieces to a new file one after the other and fsync it. Reading runs one chunk ahead of writing.
 * @param path what is there already, a link that leads elsewhere even, is removed first
 */
export async function writePieces(
  path: string,
  pieces: readonly Content[],
  onBytes?: OnBytes,
): Promise<void> {
  await rm(path, { force: true })
  const file = await open(path, 'wx')
  try {
    let done = 0
    for await (const chunk of readAhead(pieces)) {
      await writeAll(file, chunk)
      done += chunk.length
      onBytes?.(done)
    }
    await file.sync()
  } finally {
    await file.close()
  }
}

/**
 * A file's range in chunks of at most `size` bytes. Each chunk is valid until the one after the next is asked for.
 * @throws GraphError when the file is missing, or ends before the range does
 */
export async function* readRange(range: FileRange, size = CHUNK): AsyncGenerator<Uint8Array> {
  const file = await openData(range.path)
  const length = Math.max(1, Math.min(size, range.end - range.start))
  const buffers = [Buffer.allocUnsafe(length), Buffer.allocUnsafe(length)]
  try {
    for (let position = range.start, turn = 0; position < range.end; position += length, turn ^= 1) {
      const chunk = (buffers[turn] as Buffer).subarray(0, Math.min(length, range.end - position))
      await readExactly(file, chunk, position, range)
      yield chunk
    }
  } finally {
    await file.close()
  }
}

/** Chunks of all pieces; the next is read while one is being used. */
async function* readAhead(pieces: readonly Content[]): AsyncGenerator<Uint8Array> {
  const chunks = chunksOf(pieces)
  let next = chunks.next()
  try {
    for (;;) {
      const { value, done } = await next
      if (done) return
      next = chunks.next()
      next.catch(() => undefined) // reported when it is awaited
      yield value
    }
  } finally {
    await next.catch(() => undefined)
    await chunks.return(undefined)
  }
}

async function* chunksOf(pieces: readonly Content[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield* pieceChunks(piece)
}

/** A piece in chunks of at most `size` bytes, but for produced ones, which come as they are made. */
export async function* pieceChunks(piece: Content, size = CHUNK): AsyncGenerator<Uint8Array> {
  if ('produce' in piece) yield* piece.produce()
  else if ('path' in piece) yield* readRange(piece, size)
  else for (let start = 0; start < piece.length; start += size) yield piece.subarray(start, start + size)
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
