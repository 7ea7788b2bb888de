// SPDX-License-Identifier: Apache-2.0

import { columns } from './text-columns.ts'

/* Where a text is cut into subtitles. */

/** Columns of a line and lines of a cue, as broadcasters' guides have them. */
export const LINE = 42
const LINES = 2
/** Seconds that a cue is shown at most, and at least where there is room. */
export const [LONGEST, SHORTEST] = [7, 1]
/** Seconds of silence that no cue continues over, behind a sentence and within one: what comes behind would be shown long before it is said. */
const [SENTENCE_PAUSE, PAUSE] = [1, 2]
/** What a cue costs that ends inside of a sentence: behind a comma, or anywhere. An empty cue costs 1. */
const [CLAUSE_END, WORD_END] = [0.3, 0.6]
/** What a cue that is too short to be read costs more than one that is empty. */
const TOO_SHORT = 3

/** How long runs of parts are, and their lines; all by the indices of the first part and of the one behind the last. */
export interface Lines {
  /** time is shared out by it */
  length(first: number, end: number): number
  /** one line where that fits, else two of about one width; undefined where they do not */
  lines(first: number, end: number): string[][] | undefined
}

/** Measures runs of parts in columns of a terminal; a part counts as one column at least. */
export function linesOf(parts: readonly string[]): Lines {
  const spaces = parts.map((part) => columns(part) - columns(part.trimEnd()))
  const sums = [0]
  for (const part of parts) sums.push((sums.at(-1) as number) + Math.max(1, columns(part)))
  const length = (first: number, end: number) => (sums[end] as number) - (sums[first] as number)
  const width = (first: number, end: number) => length(first, end) - (spaces[end - 1] ?? 0)
  return {
    length,
    lines(first, end) {
      if (width(first, end) <= LINE) return [parts.slice(first, end)]
      let [best, widest] = [first, LINE + 1]
      for (let middle = first + 1; middle < end; middle++) {
        const wider = Math.max(width(first, middle), width(middle, end))
        if (wider < widest) [best, widest] = [middle, wider]
      }
      return best === first ? undefined : [parts.slice(first, best), parts.slice(best, end)]
    },
  }
}

/** Seconds, by the indices that {@link Lines} has. */
export interface Times {
  spoken(first: number, end: number): number
  /** as long as it can be shown, up to the least that a cue should be */
  shown(first: number, end: number): number
  /** of silence in front of a part */
  pause(part: number): number
}

/** Where the cues end that cost least in all. */
export function bestEnds(parts: readonly string[], measured: Lines, times: Times): number[] {
  const costs = [0]
  const begins = [0]
  for (let end = 1; end <= parts.length; end++) {
    const last = end === parts.length ? 0 : endCost(parts[end - 1] as string)
    costs[end] = Number.POSITIVE_INFINITY
    for (let begin = end - 1; begin >= 0; begin--) {
      const length = measured.length(begin, end)
      const isTooLong = times.spoken(begin, end) > LONGEST || measured.lines(begin, end) === undefined
      const isSentence = endCost(parts[begin] as string) === 0
      const isBroken = end - begin > 1 && times.pause(begin + 1) >= (isSentence ? SENTENCE_PAUSE : PAUSE)
      if ((isTooLong && end - begin > 1) || isBroken) break
      const cost = (costs[begin] as number) + sizeCost(length, times.shown(begin, end)) + last
      if (cost < (costs[end] as number)) {
        costs[end] = cost
        begins[end] = begin
      }
    }
  }
  const ends: number[] = []
  for (let end = parts.length; end > 0; end = begins[end] as number) ends.unshift(end)
  return ends
}

function sizeCost(length: number, seconds: number): number {
  const empty = Math.max(0, 1 - length / (LINES * LINE))
  return empty ** 2 + TOO_SHORT * Math.max(0, 1 - seconds / SHORTEST)
}

function endCost(part: string): number {
  if (/[.!?。！？｡…؟۔।॥။។][\p{Pe}\p{Pf}"']*\s*$/u.test(part)) return 0
  return /[,;:、，；：､،؛၊][\p{Pe}\p{Pf}"']*\s*$/u.test(part) ? CLAUSE_END : WORD_END
}
