import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'

/**
 * A file's hash in hexadecimal, read in chunks.
 * @param algorithm blake2b512 is several times faster than sha256 on processors without SHA instructions
 */
export async function hashFile(
  path: string,
  algorithm: 'sha256' | 'blake2b512',
  signal?: AbortSignal,
): Promise<string> {
  const hash = createHash(algorithm)
  await pipeline(createReadStream(path, { highWaterMark: 4 << 20 }), hash, signal ? { signal } : {})
  return hash.digest('hex')
}
