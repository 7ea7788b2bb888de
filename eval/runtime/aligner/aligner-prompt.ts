// SPDX-License-Identifier: Apache-2.0

import type { Prompt } from '../prompt.ts'
import { SPECIAL_TOKENS, TIMESTAMP, type Tokenizer } from '../tokenizer.ts'

/** The prompt of a forced aligner. */
export interface AlignerPrompt extends Prompt {
  /** positions of the timestamps: the start and the end of each unit */
  readonly slots: readonly number[]
}

/**
 * The audio, then each unit with two timestamps behind it. There is no chat template, and nothing between units: either would
 * move the times.
 * @param audioTokens number of audio features that take the pads' places
 * @param units what is spoken of each
 */
export function alignerPrompt(
  { idOf, encode }: Tokenizer,
  audioTokens: number,
  units: readonly string[],
): AlignerPrompt {
  const timestamp = idOf(TIMESTAMP)
  const pads = new Array<number>(audioTokens).fill(idOf(SPECIAL_TOKENS.audioPad))
  const ids = [idOf(SPECIAL_TOKENS.audioStart), ...pads, idOf(SPECIAL_TOKENS.audioEnd)]
  const slots: number[] = []
  for (const unit of units) {
    ids.push(...encode(unit), timestamp, timestamp)
    slots.push(ids.length - 2, ids.length - 1)
  }
  return { ids, audioOffset: 1, slots }
}
