// SPDX-License-Identifier: Apache-2.0

import {
  type Chunk,
  createChunker,
  finalize,
  hashToHex,
  nextBlock,
  xorbHash,
} from '@huggingface/xetchunk-wasm'
import { decodeLz4, joinGroups } from './lz4.ts'

/** A chunk, and where it is in its xorb, header included. */
export interface XorbChunk extends Chunk {
  readonly start: number
  readonly end: number
}

const HEADER = 8
const MAX_BYTES = 64 << 20
const MAX_CHUNKS = 8192
const MAX_CHUNK = 128 << 10

/**
 * The chunks of a xorb, whose hashes are those of what they unpack to.
 * @throws Error when it is not the xorb of that name, or not one at all
 * @see https://huggingface.co/docs/xet/en/xorb
 */
export function chunksOfXorb(body: Buffer, hash: string): XorbChunk[] {
  if (body.length > MAX_BYTES) throw new Error(`a xorb of ${body.length} bytes`)
  const chunks: XorbChunk[] = []
  // what may follow is an index of the chunks, which readers can do without
  for (let at = 0; at < body.length && !isFooter(body, at); ) {
    const end = at + HEADER + packedLength(body, at)
    if (end > body.length) throw new Error('a xorb that is cut off')
    const bytes = unpackChunk(body.subarray(at, end))
    chunks.push({ ...hashChunk(bytes), start: at, end })
    at = end
  }
  if (chunks.length === 0 || chunks.length > MAX_CHUNKS) throw new Error(`a xorb of ${chunks.length} chunks`)
  const found = hashToHex(xorbHash(chunks))
  if (found !== hash) throw new Error(`the hash of the xorb is ${found}, not ${hash}`)
  return chunks
}

/** One chunk with its header: version, packed length, scheme, length. */
export function unpackChunk(chunk: Buffer): Buffer {
  const [version, scheme, length] = [chunk[0], chunk[4], chunk.readUIntLE(5, 3)]
  if (version !== 0) throw new Error(`a chunk of version ${version}`)
  if (length === 0 || length > MAX_CHUNK) throw new Error(`a chunk of ${length} bytes`)
  const packed = chunk.subarray(HEADER)
  if (scheme === 1) return decodeLz4(packed, length)
  if (scheme === 2) return joinGroups(decodeLz4(packed, length))
  if (scheme !== 0) throw new Error(`a chunk with compression scheme ${scheme}`)
  if (packed.length !== length) throw new Error(`a chunk of ${packed.length} bytes, not ${length}`)
  return packed
}

function packedLength(body: Buffer, at: number): number {
  if (at + HEADER > body.length) throw new Error('a xorb that is cut off')
  return body.readUIntLE(at + 1, 3)
}

function isFooter(body: Buffer, at: number): boolean {
  return body.subarray(at, at + 7).toString('latin1') === 'XETBLOB'
}

/** Its shortest chunk is longer than any that there is: it cuts nothing, which clients do not all do alike. */
const uncut = createChunker(16 * MAX_CHUNK)

function hashChunk(bytes: Buffer): Chunk {
  const early = nextBlock(uncut, bytes)
  const chunk = finalize(uncut)
  if (!chunk || early.length > 0) throw new Error('a chunk that is cut')
  return chunk
}
