// SPDX-License-Identifier: Apache-2.0

import { constants } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { type Content, changedError, type FileRange, identityOf, READ_FLAGS } from './bytes.ts'
import { GraphError } from './graph-error.ts'

const CHUNK = 4 << 20

/** Where a long write has come to, in bytes. */
export type OnBytes = (done: number) => void

/**
 * Write pieces to a new file one after the other and fsync it. Reading runs one chunk ahead of writing.
 * @param path what is there already, a link that leads elsewhere even, is removed first
 * @throws GraphError when a piece cannot be read, or its file has changed
 * @throws the system's error when writing fails
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
 * Open a file that must be one itself.
 * @throws GraphError when it is a link, has other hard links while it is to be written, or is not a regular file
 */
export async function openPlain(path: string, mode: 'read' | 'patch'): Promise<FileHandle> {
  const flags = mode === 'read' ? READ_FLAGS : constants.O_RDWR | constants.O_NONBLOCK
  const file = await open(path, flags | constants.O_NOFOLLOW).catch((error) => {
    if (error.code === 'ELOOP') throw plainError(path, 'a link')
    throw error
  })
  const info = await file.stat()
  if (info.isFile() && (mode === 'read' || info.nlink === 1)) return file
  await file.close()
  throw plainError(path, info.isFile() ? 'another name of some file' : 'not a regular file')
}

function plainError(path: string, found: string): GraphError {
  return new GraphError(
    `${path} is ${found}, wanted a file of its own.`,
    'Delete it, and get the folder again.',
  )
}

/**
 * Write what the system still holds of a file in memory to the disk (fsync).
 * @throws the system's error when the file cannot be opened for writing, or the disk fails
 */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  await file.sync().finally(() => file.close())
}

/** Write all of `bytes` from byte `position` of the file on. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position?: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const at = position === undefined ? null : position + done
    done += (await file.write(bytes, done, bytes.length - done, at)).bytesWritten
  }
}

/**
 * A file's range in chunks of `size` bytes, the last one of what is left. Each chunk is valid until the one after the
 * next is asked for.
 * @throws GraphError when the file is missing, has changed, or ends before the range does
 */
export async function* readRange(range: FileRange, size = CHUNK): AsyncGenerator<Uint8Array> {
  const file = await openUnchanged(range)
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

/**
 * A piece in chunks of `size` bytes, the last one of what is left, valid as those of {@link readRange}.
 * @throws GraphError when its file is missing or has changed, or what is computed cannot be
 */
export async function* pieceChunks(piece: Content, size = CHUNK): AsyncGenerator<Uint8Array> {
  if ('produce' in piece) yield* evenly(piece.produce(), Math.min(size, piece.length))
  else if ('path' in piece) yield* readRange(piece, size)
  else for (let start = 0; start < piece.length; start += size) yield piece.subarray(start, start + size)
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

/** Chunks of any sizes as chunks of one size. */
async function* evenly(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<Uint8Array> {
  const buffers = [Buffer.allocUnsafe(size), Buffer.allocUnsafe(size)]
  let [turn, filled] = [0, 0]
  for await (const chunk of chunks) {
    for (let start = 0; start < chunk.length; ) {
      const part = chunk.subarray(start, start + size - filled)
      const buffer = buffers[turn] as Buffer
      buffer.set(part, filled)
      start += part.length
      filled += part.length
      if (filled < size) continue
      yield buffer
      turn ^= 1
      filled = 0
    }
  }
  if (filled > 0) yield (buffers[turn] as Buffer).subarray(0, filled)
}

async function openUnchanged({ path, identity }: FileRange): Promise<FileHandle> {
  const file = await open(path, READ_FLAGS).catch((error) => {
    throw missingError(path, error)
  })
  if (identityOf(await file.stat({ bigint: true })) === identity) return file
  await file.close()
  throw changedError(path)
}

/** What opening a data file failed with, as a sentence where the file is not there. */
export function missingError(path: string, error: unknown): unknown {
  if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return error
  return new GraphError(`The data file ${path} is missing.`, 'Keep a graph and its data files in one folder.')
}

/** A data file is shorter than what is read from it. */
export function shortError(path: string, size: number, end: number): GraphError {
  return new GraphError(
    `${path} ends at byte ${size}, but a tensor reaches to byte ${end}.`,
    'It is truncated, or of another export; get it again.',
  )
}

async function readExactly(
  file: FileHandle,
  into: Uint8Array,
  position: number,
  range: FileRange,
): Promise<void> {
  for (let read = 0; read < into.length; ) {
    const { bytesRead } = await file.read(into, read, into.length - read, position + read)
    if (bytesRead === 0) throw shortError(range.path, position + read, range.end)
    read += bytesRead
  }
}
