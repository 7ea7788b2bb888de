// SPDX-License-Identifier: Apache-2.0

import type { TimedWord } from './runtime/timed-word.ts'
import { inOrder, lettersOf, type PlacedWord, placeLetters } from './word-places.ts'

/* Times of the parts of a text, from the times of its words. */

/** When the parts of a text are said, in seconds. */
export interface PartTimes {
  /** of each part; neither these nor the ends fall, and a part begins when the one before has ended at the earliest */
  readonly begins: readonly number[]
  readonly ends: readonly number[]
  /** its words, by their place in the {@link lettersOf} the text */
  readonly words: readonly PlacedWord[]
}

/** Closing marks belong to the word before, opening ones to the word behind. */
const CLOSING = /^[^\p{L}\p{N}\p{Ps}\p{Pi}¿¡]*/u
const OPENING = /[^\p{L}\p{N}]*$/u

/**
 * When each part of a text is said, from the times of the text's words.
 * @param parts that make up the text
 * @param words of the text; what none of them stands for has the time between its neighbours
 * @param edge when the text begins and ends, for what is before the first word and behind the last
 * @returns undefined where no word is found in the text
 */
export function partTimes(
  parts: readonly string[],
  words: readonly TimedWord[],
  edge: { readonly start: number; readonly end: number },
): PartTimes | undefined {
  const pieces = parts.map(lettersOf)
  const letters = pieces.join('')
  const placed = inOrder(placeLetters(letters, words))
  if (placed.length === 0) return undefined
  const spans = covering(letters, placed, edge)
  const [begins, ends]: [number[], number[]] = [[], []]
  let [at, span] = [0, 0]
  const seek = (isInside: (span: PlacedWord) => boolean) => {
    while (span < spans.length - 1 && !isInside(spans[span] as PlacedWord)) span++
    return timeAt(spans[span] as PlacedWord, at)
  }
  for (const piece of pieces) {
    begins.push(seek(({ to }) => to > at))
    at += piece.length
    ends.push(seek(({ to }) => to >= at))
  }
  return { begins, ends, words: placed }
}

function timeAt({ from, to, start, end }: PlacedWord, at: number): number {
  return start + ((end - start) * (at - from)) / (to - from)
}

/** The words, and what is between them as more of them, so that every letter is in one. */
function covering(
  letters: string,
  words: readonly PlacedWord[],
  edge: { readonly start: number; readonly end: number },
): PlacedWord[] {
  const spans: PlacedWord[] = []
  let before: PlacedWord | undefined
  const fill = (gap: string, from: number, next: PlacedWord | undefined): number => {
    const closing = before ? (CLOSING.exec(gap)?.[0].length ?? 0) : 0
    const rest = gap.slice(closing)
    const opening = next ? (OPENING.exec(rest)?.[0].length ?? 0) : 0
    if (before) spans.push({ ...before, to: from + closing })
    const [low, high] = [from + closing, from + gap.length - opening]
    const end = next?.start ?? Math.max(edge.end, before?.end ?? 0)
    if (low < high) spans.push({ from: low, to: high, start: before?.end ?? Math.min(edge.start, end), end })
    return high
  }
  for (const word of words) {
    const end = before?.to ?? 0
    before = { ...word, from: fill(letters.slice(end, word.from), end, word) }
  }
  fill(letters.slice(before?.to), before?.to ?? 0, undefined)
  return spans
}
