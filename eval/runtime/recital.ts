// SPDX-License-Identifier: Apache-2.0

import { wordRanges } from './words/word-ranges.ts'

/* Outputs that repeat the context instead of the speech. */

/** So many words of a context in its order are not a coincidence. */
const LONGEST_CHANCE = 2
/** Share of a text's words that are the context's, in its order, from which on it is only that. */
const MOST = 0.6

/**
 * Whether a text recites its context: three words and more of it in its order, and hardly any others. Models do that when
 * they recognize nothing.
 */
export function isRecital(text: string, context: string): boolean {
  const [said, known] = [wordsOf(text), wordsOf(context)]
  const run = longestRun(said, known)
  return run > LONGEST_CHANCE && run >= MOST * said.length
}

/** Whether a text that is still being decoded may become a recital: all of it is a part of the context. */
export function mayRecite(text: string, context: string): boolean {
  const said = wordsOf(text)
  // the last word may not be whole yet
  return longestRun(said.slice(0, -1), wordsOf(context)) === Math.max(0, said.length - 1)
}

/** Words in lower case, without punctuation. */
function wordsOf(text: string): string[] {
  return wordRanges(text)
    .map(({ start, end }) =>
      text
        .slice(start, end)
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\p{M}]+/gu, ''),
    )
    .filter((word) => word !== '')
}

/** Words that stand next to each other in both, at most. */
function longestRun(said: readonly string[], known: readonly string[]): number {
  let longest = 0
  let before = new Uint32Array(known.length + 1)
  for (const word of said) {
    const runs = new Uint32Array(known.length + 1)
    for (const [i, other] of known.entries()) {
      if (word !== other) continue
      runs[i + 1] = (before[i] as number) + 1
      longest = Math.max(longest, runs[i + 1] as number)
    }
    before = runs
  }
  return longest
}
