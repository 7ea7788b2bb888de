import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'

/**
 * The hash that names a blob of `size` bytes in git, before these bytes.
 * @see https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
 */
export function gitBlobHash(size: number): Hash {
  return createHash('sha1').update(`blob ${size}\0`)
}

/** Feed the first `size` bytes of a file to a hash. */
export async function hashInto(hash: Hash, path: string, size: number): Promise<Hash> {
  if (size === 0) return hash
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, end: size - 1 }))
    hash.update(chunk as Buffer)
  return hash
}
