// SPDX-License-Identifier: Apache-2.0

import type { RowHead } from './kv-store.ts'
import type { Tensor } from './onnxruntime.ts'
import type { Prompt } from './prompt.ts'

/** The keys and values of a prompt's beginning, as graphs take a past. */
export interface PromptHead extends RowHead {
  readonly feeds: Readonly<Record<string, Tensor>>
}

/** A shorter head, as that without any context, costs less than a run of its own. */
const SHORTEST = 32

/** Keeps the head of the last prompt: what stands before the audio, which is the same for all pieces with one context. */
export interface HeadKeeper {
  /** @returns undefined where keeping it does not pay */
  of(prompt: Prompt): Promise<PromptHead | undefined>
  release(): void
}

/**
 * A keeper that holds no head yet.
 * @param names of the graphs' past inputs
 * @param compute makes the keys and values of tokens that nothing stands before, in the order of the names,
 *   [1, heads, length, head_dim] each. They are the keeper's from then on
 */
export function makeHeadKeeper(
  names: readonly string[],
  compute: (ids: readonly number[]) => Promise<readonly Tensor[]>,
): HeadKeeper {
  let kept: { readonly ids: readonly number[]; readonly head: PromptHead } | undefined
  const release = () => {
    for (const array of kept?.head.arrays ?? []) array.dispose()
    kept = undefined
  }
  return {
    release,
    async of({ ids, audioOffset }) {
      if (audioOffset < SHORTEST) return undefined
      if (kept?.ids.length === audioOffset && kept.ids.every((id, i) => id === ids[i])) return kept.head
      release() // its memory is free while the next is computed
      const own = ids.slice(0, audioOffset)
      const arrays = await compute(own)
      const feeds = Object.fromEntries(names.map((name, i) => [name, arrays[i] as Tensor]))
      const head = { length: own.length, arrays, feeds }
      kept = { ids: own, head }
      return head
    },
  }
}
