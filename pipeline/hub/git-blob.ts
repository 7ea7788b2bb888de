// SPDX-License-Identifier: Apache-2.0

import { createHash, type Hash } from 'node:crypto'

/**
 * The hash that names a blob of `size` bytes in git, before these bytes.
 * @see https://git-scm.com/book/en/v2/Git-Internals-Git-Objects
 */
export function gitBlobHash(size: number): Hash {
  return createHash('sha1').update(`blob ${size}\0`)
}
