// SPDX-License-Identifier: Apache-2.0

import type { TimedWord } from '../../eval/runtime/timed-word.ts'

/** Three decimals: milliseconds, of seconds. */
export function rounded(value: number): number {
  return Math.round(1000 * value) / 1000
}

/** Words with times in seconds of three decimals. */
export function roundedWords(words: readonly TimedWord[]): TimedWord[] {
  return words.map(({ text, start, end }) => ({ text, start: rounded(start), end: rounded(end) }))
}
