// SPDX-License-Identifier: Apache-2.0

import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'

const READ_BYTES = 1 << 20

/**
 * A file's hash in hexadecimal. One part is read while the one before is hashed, and no memory is asked for in between.
 * @param algorithm blake2b512 is several times faster than sha256 on processors without SHA instructions
 */
export async function hashFile(
  path: string,
  algorithm: 'sha256' | 'blake2b512',
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm)
  const file = await open(path)
  try {
    let [current, next] = [Buffer.allocUnsafe(READ_BYTES), Buffer.allocUnsafe(READ_BYTES)]
    let reading = file.read(current, 0, READ_BYTES)
    for (;;) {
      const { bytesRead } = await reading
      signal?.throwIfAborted()
      if (bytesRead === 0) return hash.digest('hex')
      reading = file.read(next, 0, READ_BYTES)
      hash.update(current.subarray(0, bytesRead))
      ;[current, next] = [next, current]
    }
  } finally {
    await file.close()
  }
}

/** Feed the first `size` bytes of a file to a hash. */
export async function hashInto(hash: Hash, path: string, size: number): Promise<Hash> {
  if (size === 0) return hash
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, end: size - 1 }))
    hash.update(chunk as Buffer)
  return hash
}
