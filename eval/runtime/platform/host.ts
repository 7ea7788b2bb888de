// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import type { PrefillKind } from '../graphs.ts'

/** How many threads can run at the same time. */
export const cores: () => number = availableParallelism

/** Let what is waiting have its turn: messages, timers, an abort. */
export const nextTurn = (): Promise<void> => setImmediate()

/** How the processor runs prompts where a variant has a graph with 8-bit products. */
export const CPU_PROMPTS: PrefillKind = 'int8'

/** A hash of bytes that come in parts. */
export interface RunningHash {
  add(bytes: Uint8Array): void
  /** in hexadecimal; to be called once */
  digest(): string
}

/** SHA-256 (FIPS 180-4). */
export async function startSha256(): Promise<RunningHash> {
  const hash = createHash('sha256')
  return { add: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') }
}
