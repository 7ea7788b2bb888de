// SPDX-License-Identifier: Apache-2.0

import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { constants, crc32, deflateRaw, type ZlibOptions } from 'node:zlib'

/** Input of one job; independent of the number of cores, so that the output is too. */
const BLOCK_BYTES = 1 << 20
/** What deflate can look back to (RFC 1951, section 2). */
const WINDOW_BYTES = 1 << 15
/** Magic, deflate, no flags, no time, no level hint, unknown system (RFC 1952, section 2.3). */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
/** An empty last block with the fixed codes (RFC 1951, section 3.2.6). */
const LAST_BLOCK = Buffer.from([3, 0])

const deflate = promisify<Uint8Array, ZlibOptions, Buffer>(deflateRaw)

/** How bytes are compressed. */
export interface GzipOptions {
  /** 1 to 9, as gzip's */
  readonly level: number
  /** blocks compressed at once; the cores by default */
  readonly jobs?: number
}

/**
 * Compress on all cores into one gzip member, as pigz does: blocks are deflated apart, each with the end of the one
 * before as its dictionary, and joined at sync markers. One member, since some readers stop after the first. The bytes
 * depend on input and level alone.
 * @see https://www.rfc-editor.org/rfc/rfc1952
 */
export async function* gzip(source: AsyncIterable<Uint8Array>, options: GzipOptions): AsyncGenerator<Buffer> {
  const jobs = options.jobs ?? availableParallelism()
  const running: Promise<Buffer>[] = []
  let [check, length] = [0, 0]
  let dictionary: Uint8Array | undefined
  yield HEADER
  try {
    for await (const block of blocksOf(source)) {
      running.push(deflateBlock(block, dictionary, options.level))
      check = crc32(block, check)
      length += block.length
      dictionary = block.subarray(-WINDOW_BYTES)
      if (running.length > jobs) yield await (running.shift() as Promise<Buffer>)
    }
    while (running.length > 0) yield await (running.shift() as Promise<Buffer>)
  } finally {
    await Promise.allSettled(running) // a reader that stops early leaves none behind unhandled
  }
  yield Buffer.concat([LAST_BLOCK, trailer(check, length)])
}

function deflateBlock(block: Uint8Array, dictionary: Uint8Array | undefined, level: number): Promise<Buffer> {
  return deflate(block, {
    level,
    finishFlush: constants.Z_SYNC_FLUSH,
    chunkSize: BLOCK_BYTES + WINDOW_BYTES, // all output in one visit of the thread pool
    ...(dictionary && { dictionary }),
  })
}

/** CRC-32 and length modulo 2^32, little-endian. */
function trailer(check: number, length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUInt32LE(check)
  bytes.writeUInt32LE(length % 2 ** 32, 4)
  return bytes
}

async function* blocksOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let block = Buffer.allocUnsafe(BLOCK_BYTES)
  let filled = 0
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + BLOCK_BYTES - filled)
      block.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < BLOCK_BYTES) continue
      yield block
      block = Buffer.allocUnsafe(BLOCK_BYTES)
      filled = 0
    }
  }
  if (filled > 0) yield block.subarray(0, filled)
}
