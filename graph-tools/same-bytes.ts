// SPDX-License-Identifier: Apache-2.0

import type { Content, FileRange } from './bytes.ts'
import { pieceChunks, readRange } from './files.ts'
import { contentLength } from './splice.ts'

const CHUNK = 1 << 20
const SAMPLE = 64
/** Pairs that are compared at a time: reading happens off the main thread. */
const CONCURRENCY = 4

/**
 * Group pieces that hold the same bytes, by comparing them; samples only sort out which pairs are worth it.
 * @param onBytes called with the bytes compared so far; what it throws ends the comparison
 * @returns for each piece the index of the first one with the same bytes, its own when there is none before it
 * @throws GraphError when a piece cannot be read, or its file has changed
 */
export async function firstEqual(
  pieces: readonly Content[],
  onBytes?: (compared: number) => void,
): Promise<number[]> {
  const keys = await mapLimited(pieces, (piece) => sample(piece))
  const buckets = new Map<string, number[]>()
  keys.forEach((key, i) => {
    const bucket = buckets.get(key)
    if (bucket) bucket.push(i)
    else buckets.set(key, [i])
  })
  const first = pieces.map((_, i) => i)
  let compared = 0
  await mapLimited([...buckets.values()], async (bucket) => {
    const distinct: number[] = []
    for (const i of bucket) {
      const piece = pieces[i] as Content
      const equal = await find(distinct, async (j) => sameBytes(pieces[j] as Content, piece))
      if (equal === undefined) distinct.push(i)
      else first[i] = equal
      compared += contentLength([piece])
      onBytes?.(compared)
    }
  })
  return first
}

/**
 * Whether two pieces hold the same bytes, compared byte by byte.
 * @throws GraphError when one cannot be read, or its file has changed
 */
export async function sameBytes(a: Content, b: Content): Promise<boolean> {
  if (contentLength([a]) !== contentLength([b])) return false
  if (isSameRange(a, b)) return true
  const left = pieceChunks(a, CHUNK)
  const right = pieceChunks(b, CHUNK)
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

/** Run `work` on all items, a few at a time; the first failure ends it. */
async function mapLimited<T, R>(items: readonly T[], work: (item: T, i: number) => Promise<R>): Promise<R[]> {
  const out: R[] = []
  let next = 0
  const worker = async () => {
    for (let i = next++; i < items.length; i = next++) out[i] = await work(items[i] as T, i)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  return out
}

function isSameRange(a: Content, b: Content): boolean {
  if (!('path' in a) || !('path' in b)) return a === b
  return a.path === b.path && a.start === b.start && a.end === b.end
}

async function find<T>(items: readonly T[], test: (item: T) => Promise<boolean>): Promise<T | undefined> {
  for (const item of items) if (await test(item)) return item
  return undefined
}

/** Length and a few bytes from the middle. */
async function sample(piece: Content): Promise<string> {
  const length = contentLength([piece])
  const start = Math.max(0, Math.floor(length / 2) - SAMPLE)
  const bytes = await part(piece, start, Math.min(length, start + SAMPLE))
  return `${length}:${Buffer.from(bytes).toString('hex')}`
}

/** Some bytes of a piece; what is computed is computed up to there. */
async function part(piece: Content, start: number, end: number): Promise<Uint8Array> {
  if (piece instanceof Uint8Array) return piece.subarray(start, end)
  if ('path' in piece) {
    const range: FileRange = { ...piece, start: piece.start + start, end: piece.start + end }
    for await (const chunk of readRange(range)) return chunk
    return new Uint8Array(0)
  }
  const found: Uint8Array[] = []
  let at = 0
  for await (const chunk of pieceChunks(piece)) {
    found.push(Uint8Array.from(chunk.subarray(Math.max(0, start - at), Math.max(0, end - at))))
    at += chunk.length
    if (at >= end) break
  }
  return Buffer.concat(found)
}
