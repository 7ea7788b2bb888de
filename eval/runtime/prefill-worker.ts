// SPDX-License-Identifier: Apache-2.0

import type { LoadCache } from './load-cache.ts'
import { ownThread } from './platform/threads.ts'
import { readPrefillRecipe, readPrefillWeights, type WidenedWeight } from './prefill-weights.ts'
import { makeStored, type StoredWeights } from './prompt-cache.ts'
import { SpeechError } from './speech-error.ts'

/* Makes the prefill graph's weights, in the cache or in memory, while the thread that needs them loads its sessions. */

/** What the thread is started with. */
export interface PrefillJob {
  readonly folder: string
  /** in `folder` */
  readonly recipe: string
  /** none: weights are made in memory */
  readonly cache: LoadCache | undefined
}

/** Weights in memory, or in a file of the cache. */
export type PrefillWeights = { readonly made: readonly WidenedWeight[] } | { readonly stored: StoredWeights }

/** What the thread answers: the weights, or why they cannot be made. */
export type PrefillReply = PrefillWeights | { readonly message: string; readonly hint: string }

const { setup, post: reply } = await ownThread<PrefillJob, PrefillReply, never>()
const { folder, recipe, cache } = setup
try {
  const stored = cache && (await makeStored(cache, await readPrefillRecipe(folder, recipe)))
  if (stored) {
    reply({ stored })
  } else {
    const made = await readPrefillWeights(folder, recipe)
    reply({ made }, made.flatMap(({ levels, columns }) => [levels.buffer, columns.buffer]) as ArrayBuffer[])
  }
} catch (error) {
  const { message, hint } = error as SpeechError
  if (!(error instanceof SpeechError)) throw error
  reply({ message, hint })
}
