// SPDX-License-Identifier: Apache-2.0

/* Limits of what is decoded at once. */

/** New tokens of one piece at least, whatever its length, as the model card's examples allow. */
export const MAX_NEW_TOKENS = 512

/**
 * New tokens a second at most. Quick Hindi and Greek take up to 15, because the tokenizer has few whole words of their
 * scripts; what runs on in a loop is stopped earlier, by its repetition.
 */
const TOKENS_PER_SECOND = 25

/** The longest piece of a recording that is transcribed at once, in seconds. */
export const MAX_PIECE_SECONDS = 60

/** New tokens of a piece at most, where no limit is given: no memory is set aside for them. */
export function tokenLimit(seconds: number): number {
  return Math.max(MAX_NEW_TOKENS, Math.ceil(TOKENS_PER_SECOND * seconds))
}
