/**
 * One LZ4 frame without dictionaries, decoded strictly: left-over bytes are an error.
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md and lz4_Block_format.md
 */
export function decodeLz4(frame: Buffer, length: number): Buffer {
  if (frame.readUInt32LE(0) !== 0x184d2204) throw new Error('no LZ4 frame')
  const flags = frame[4] ?? 0
  const [hasBlockChecksum, hasSize, hasChecksum] = [flags & 16, flags & 8, flags & 4]
  let at = 7 + (hasSize ? 8 : 0)
  const out = Buffer.alloc(length)
  let end = 0
  for (;;) {
    const size = frame.readUInt32LE(at)
    at += 4
    if (size === 0) break
    const block = frame.subarray(at, at + (size & 0x7fffffff))
    end = size >>> 31 ? end + block.copy(out, end) : decodeBlock(block, out, end)
    at += block.length + (hasBlockChecksum ? 4 : 0)
  }
  at += hasChecksum ? 4 : 0
  if (end !== length || at !== frame.length)
    throw new Error(`LZ4: ${end} of ${length} bytes, ${frame.length - at} left`)
  return out
}

/** @returns where the output ends */
function decodeBlock(block: Buffer, out: Buffer, start: number): number {
  let [at, end] = [0, start]
  const more = (nibble: number) => {
    let length = nibble
    for (let byte = 255; nibble === 15 && byte === 255; length += byte) byte = block[at++] ?? 0
    return length
  }
  for (;;) {
    const token = block[at++] ?? 0
    const literals = more(token >> 4)
    end += block.copy(out, end, at, at + literals)
    at += literals
    if (at >= block.length) return end
    const offset = block.readUInt16LE(at)
    at += 2
    const match = more(token & 15) + 4
    if (offset === 0 || offset > end) throw new Error('LZ4: an offset before the start')
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
