// SPDX-License-Identifier: Apache-2.0

import { touches } from '../writing-system.ts'

/** A word's place in a text, in UTF-16 units: from its first to behind its last. */
export interface Range {
  readonly start: number
  readonly end: number
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'word' })
/** What belongs to the word behind it. */
const OPENING = /^[\p{Ps}\p{Pi}¿¡]+$/u

/**
 * The words of a text, each with its punctuation. Between them are spaces, or nothing in writing without spaces, where a
 * dictionary separates them (Unicode Standard Annex #29, with ICU's dictionaries).
 */
export function wordRanges(text: string): Range[] {
  const ranges: Range[] = []
  for (const { index, 0: run } of text.matchAll(/\S+/gu)) {
    const cuts = cutsIn(run)
    for (const [i, end] of [...cuts, run.length].entries())
      ranges.push({ start: index + (cuts[i - 1] ?? 0), end: index + end })
  }
  return ranges
}

/** Where a new word begins inside of a run without spaces. */
function cutsIn(run: string): number[] {
  const cuts: number[] = []
  let [isInWord, begin] = [false, 0]
  for (const { segment, index, isWordLike } of segmenter.segment(run)) {
    const isOpening = OPENING.test(segment)
    if (isInWord && (isWordLike || isOpening) && touches(run.slice(begin, index), run.slice(index))) {
      cuts.push(index)
      begin = index
      isInWord = false
    }
    if (isWordLike) isInWord = true
  }
  return cuts
}
