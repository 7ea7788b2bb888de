// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs'
import type { Content } from '../../graph-tools/bytes.ts'

/** The bytes of a tensor of a graph that is opened from a file. */
export function readContent(content: Content | undefined): Uint8Array {
  if (content instanceof Uint8Array) return content
  if (content === undefined || !('path' in content)) throw new Error('A weight has no bytes in a file.')
  return readFileSync(content.path).subarray(content.start, content.end)
}
