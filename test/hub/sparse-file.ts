// SPDX-License-Identifier: Apache-2.0

import type { Hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'

const BLOCK = 64 << 10
const GATHERED = 16 * BLOCK
const ZEROS = Buffer.alloc(BLOCK)

/**
 * Write a new file from pieces of any size; blocks of zeros become holes, so that gigabytes of them cost no disk.
 * @returns how many bytes it has
 */
export async function writeSparse(
  path: string,
  pieces: AsyncIterable<Uint8Array>,
  hash?: Hash,
): Promise<number> {
  const file = await open(path, 'wx')
  try {
    const gathered = Buffer.allocUnsafe(GATHERED)
    let [at, filled] = [0, 0]
    for await (const piece of pieces) {
      hash?.update(piece)
      for (let from = 0; from < piece.length; ) {
        const part = piece.subarray(from, from + GATHERED - filled)
        gathered.set(part, filled)
        filled += part.length
        from += part.length
        if (filled < GATHERED) continue
        await writeBlocks(file, gathered, at)
        at += filled
        filled = 0
      }
    }
    await writeBlocks(file, gathered.subarray(0, filled), at)
    await file.truncate(at + filled)
    return at + filled
  } finally {
    await file.close()
  }
}

/** Write what is not zero, neighbours together. */
async function writeBlocks(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let start = 0; start < bytes.length; ) {
    if (isZero(bytes.subarray(start, start + BLOCK))) {
      start += BLOCK
      continue
    }
    let end = start + BLOCK
    while (end < bytes.length && !isZero(bytes.subarray(end, end + BLOCK))) end += BLOCK
    const part = bytes.subarray(start, end)
    await file.write(part, 0, part.length, position + start)
    start = end
  }
}

function isZero(block: Buffer): boolean {
  return block.equals(ZEROS.subarray(0, block.length))
}
