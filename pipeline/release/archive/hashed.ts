// SPDX-License-Identifier: Apache-2.0

import type { Hash } from 'node:crypto'

/** Pass chunks on, and hash them on the way. */
export async function* hashed(
  chunks: AsyncIterable<Buffer>,
  hash: Hash,
  onBytes?: (count: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    onBytes?.(chunk.length)
    yield chunk
  }
}
