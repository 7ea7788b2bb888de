// SPDX-License-Identifier: Apache-2.0

const MAGIC = 0x184d2204
const STORED = 0x80000000
const MIN_MATCH = 4

/**
 * One LZ4 frame that becomes exactly so many bytes; whatever is left over is an error. Checksums are skipped.
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
export function decodeLz4(frame: Buffer, length: number): Buffer {
  const flags = frame[4] ?? 0
  if (frame.length < 7 || frame.readUInt32LE(0) !== MAGIC || flags >> 6 !== 1 || flags & 1)
    throw new Error('LZ4: not a frame of version 1 without a dictionary')
  const blockChecksum = flags & 0x10 ? 4 : 0
  const out = Buffer.alloc(length)
  let at = 7 + (flags & 0x08 ? 8 : 0)
  let end = 0
  for (let size = frame.readUInt32LE(at); size !== 0; size = frame.readUInt32LE(at)) {
    at += 4
    const isStored = size >= STORED
    const block = frame.subarray(at, at + (isStored ? size - STORED : size))
    if (isStored && end + block.length > length) throw new Error('LZ4: more than was said')
    end = isStored ? end + block.copy(out, end) : decodeBlock(block, out, end)
    at += block.length + blockChecksum
  }
  at += 4 + (flags & 0x04 ? 4 : 0)
  if (end !== length || at !== frame.length)
    throw new Error(`LZ4: ${end} of ${length} bytes, and ${frame.length - at} left over`)
  return out
}

/**
 * @returns where the output ends
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
 */
function decodeBlock(block: Buffer, out: Buffer, start: number): number {
  let [at, end] = [0, start]
  const lengthFrom = (nibble: number) => {
    let length = nibble
    for (let byte = 255; nibble === 15 && byte === 255; length += byte) byte = block.readUInt8(at++)
    return length
  }
  for (;;) {
    const token = block.readUInt8(at++)
    const literals = lengthFrom(token >> 4)
    if (at + literals > block.length || end + literals > out.length) throw new Error('LZ4: literals overrun')
    end += block.copy(out, end, at, at + literals)
    at += literals
    if (at === block.length) return end
    const offset = block.readUInt16LE(at)
    at += 2
    const match = lengthFrom(token & 15) + MIN_MATCH
    if (offset === 0 || offset > end || end + match > out.length) throw new Error('LZ4: a match overruns')
    // byte by byte: a match may reach into what it writes
    for (let i = 0; i < match; i++, end++) out[end] = out[end - offset] ?? 0
  }
}

/** Bytes that were put apart by their place in words of four, together again. */
export function joinGroups(grouped: Buffer): Buffer {
  const out = Buffer.alloc(grouped.length)
  let from = 0
  for (let place = 0; place < 4; place++)
    for (let to = place; to < out.length; to += 4) out[to] = grouped[from++] ?? 0
  return out
}
