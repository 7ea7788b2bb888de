// SPDX-License-Identifier: Apache-2.0

import { SCORE } from './aligner-config.ts'

/*
 * The same tensor has other names in other formats. Native ones are those of transformers 5; the original format is that
 * of Qwen's repositories, whose model stands below `thinker`.
 */

/** A way to name tensors, both ways. */
export interface Naming {
  readonly toNative: (name: string) => string
  readonly fromNative: (name: string) => string
}

const AS_NATIVE: Naming = { toNative: (name) => name, fromNative: (name) => name }

/** Names of the original format. The head of an aligner has the name of the vocabulary's there. */
export function originalNaming(hasClasses: boolean): Naming {
  const head = hasClasses ? SCORE.replace('weight', '') : 'lm_head.'
  return {
    toNative: (name) =>
      name
        .replace(/^thinker\.audio_tower\.proj([12])\./, 'model.multi_modal_projector.linear_$1.')
        .replace(/^thinker\.model\./, 'model.language_model.')
        .replace(/^thinker\.lm_head\./, head)
        .replace(/^thinker\./, 'model.'),
    fromNative: (name) => {
      if (name.startsWith(head)) return `thinker.lm_head.${name.slice(head.length)}`
      return name
        .replace(/^model\.multi_modal_projector\.linear_([12])\./, 'thinker.audio_tower.proj$1.')
        .replace(/^model\.language_model\./, 'thinker.model.')
        .replace(/^model\.audio_tower\./, 'thinker.audio_tower.')
    },
  }
}

/** Names of a model that was taken out of its `thinker`, as some finetuners train it. */
function thinkersOwn(hasClasses: boolean): Naming {
  const { toNative, fromNative } = originalNaming(hasClasses)
  return {
    toNative: (name) => toNative(`thinker.${name}`),
    fromNative: (name) => fromNative(name).replace(/^thinker\./, ''),
  }
}

/**
 * How a finetuner's model names its modules.
 * @param names of some of them
 * @returns undefined for names of another model, or of several
 */
export function namingOf(names: readonly string[], hasClasses: boolean): Naming | undefined {
  const all = (pattern: RegExp) => names.every((name) => pattern.test(name))
  if (all(/^thinker\./)) return originalNaming(hasClasses)
  if (all(/^(model\.(language_model|audio_tower|multi_modal_projector)|lm_head|score)\./)) return AS_NATIVE
  if (all(/^(model\.(layers|embed_tokens|norm)|audio_tower|lm_head)\./)) return thinkersOwn(hasClasses)
  return undefined
}
