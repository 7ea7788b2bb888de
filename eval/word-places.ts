// SPDX-License-Identifier: Apache-2.0

import type { TimedWord } from './runtime/timed-word.ts'

/* Where words with times stand in the text that they are of. */

/** Where in a text a word stands, in UTF-16 units, and when it is said. */
export interface PlacedWord {
  readonly from: number
  /** behind its last character */
  readonly to: number
  readonly start: number
  readonly end: number
}

/** What counts: words and their text may differ in spaces and controls. */
const LETTER = /[^\s\p{Cc}]/gu

/**
 * Find words in the text that they are of, by their position: writing without spaces has no other way. Spaces and controls
 * do not count. What is not found, and what has no finite times, is left out.
 * @param words in the order of the text
 */
export function placeWords(text: string, words: readonly TimedWord[]): PlacedWord[] {
  const places = letterPlaces(text)
  return placeLetters(lettersOf(text), words).map(({ from, to, ...times }) => ({
    from: places[from] as number,
    to: (places[to - 1] as number) + 1,
    ...times,
  }))
}

/** Where in a text each of its {@link lettersOf} stands. */
export function letterPlaces(text: string): number[] {
  return [...text.matchAll(LETTER)].flatMap(({ index, 0: { length } }) =>
    Array.from({ length }, (_, i) => index + i),
  )
}

/** A text without spaces and controls. */
export function lettersOf(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, '')
}

/** As {@link placeWords}, in the {@link lettersOf} a text. */
export function placeLetters(letters: string, words: readonly TimedWord[]): PlacedWord[] {
  const placed: PlacedWord[] = []
  let at = 0
  for (const { text, start, end } of words) {
    const wanted = lettersOf(text)
    const from = letters.indexOf(wanted, at)
    if (wanted === '' || from < 0 || !Number.isFinite(start) || !Number.isFinite(end)) continue
    at = from + wanted.length
    placed.push({ from, to: at, start, end })
  }
  return placed
}

/**
 * As many words as have times that follow one another, each ending when the next begins at the latest. Where times are out of order,
 * a few wrong ones thus move no others.
 */
export function inOrder(words: readonly PlacedWord[]): PlacedWord[] {
  const kept = longestChain(words.map(({ start }) => start)).map((i) => words[i] as PlacedWord)
  return kept.map(({ start, end, ...place }, i) => {
    const next = kept[i + 1]?.start ?? Number.POSITIVE_INFINITY
    return { ...place, start, end: Math.min(Math.max(start, end), next) }
  })
}

/** Indices of the longest subsequence that never falls, found by patience sorting. */
function longestChain(values: readonly number[]): number[] {
  /** by length less one: the index at which a chain ends with the least value */
  const ends: number[] = []
  const before: number[] = []
  for (const [i, value] of values.entries()) {
    let [low, high] = [0, ends.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((values[ends[middle] as number] as number) <= value) low = middle + 1
      else high = middle
    }
    before[i] = ends[low - 1] ?? -1
    ends[low] = i
  }
  const chain: number[] = []
  for (let i = ends.at(-1) ?? -1; i >= 0; i = before[i] as number) chain.unshift(i)
  return chain
}
