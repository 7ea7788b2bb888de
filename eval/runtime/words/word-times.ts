// SPDX-License-Identifier: Apache-2.0

import type { Span } from '../audio/pieces.ts'
import type { TimedWord } from '../timed-word.ts'
import { monotonicPath } from './monotonic-path.ts'
import type { TokenText } from './token-ranges.ts'
import { type Range, wordRanges } from './word-ranges.ts'

/** Audio features of a second: those of 100 mel frames, 80 ms each but the last, which overlaps the next second's first. */
const FEATURES = 13
const FEATURE_SECONDS = 0.08
/** What a feature without any attention costs: -log of it. */
const FLOOR = 1e-4
/** How far from a boundary between words the pause may be that it belongs to, in seconds. */
const REACH = 0.1

/** No word has a pause of so many seconds in it. */
const LONG_PAUSE = 0.3

const SAID = /[\p{L}\p{N}]/u

/** What shows when words are said. */
export interface Evidence extends TokenText {
  /**
   * Where decoding looked when it chose each token, and once more at its end: attention to the audio features
   * [tokens + 1, features]
   */
  readonly attention: readonly Float32Array[]
  /** where nobody speaks */
  readonly pauses: readonly Span[]
  /** of the audio */
  readonly seconds: number
}

/**
 * When each word of a text is said: the likeliest order in which tokens take the audio features, by attention (dynamic time
 * warping of -log), with the edges of words moved to those of pauses. Words without letters and digits are a moment.
 * @param from where in the text of the tokens the words begin
 * @returns times in seconds from the first sample, in order: no word begins before the one before ends
 */
export function timedWords(evidence: Evidence, from = 0): TimedWord[] {
  const { text, ranges, attention, pauses, seconds } = evidence
  const features = attention[0]?.length ?? 0
  const first = ranges.findIndex(({ end }) => end > from)
  const words = wordRanges(text.slice(from)).map(({ start, end }) => ({
    start: from + start,
    end: from + end,
  }))
  if (first < 0 || features === 0 || words.length === 0) return []
  const rows = attention.slice(first)
  const path = monotonicPath(costsOf(rows), rows.length, features)
  const tokensBy = words.map((word) => tokensOf(word, ranges, text).map((token) => token - first))
  const spans = tokensBy.map((tokens): Span => {
    const start = featureStart(path.first[tokens[0] ?? 0] ?? 0)
    const end = featureStart((path.last[tokens.at(-1) ?? 0] ?? 0) + 1)
    return { start: Math.min(start, seconds), end: Math.min(end, seconds) }
  })
  const at = atPauses(spans, pauses, seconds).map((span, i) => {
    const own = (tokensBy[i] as number[]).map((token) => rows[token] as Float32Array)
    return onOneSide(span, pauses, own)
  })
  const placed = ordered(at)
  return words.map(({ start, end }, i) => ({ text: text.slice(start, end), ...(placed[i] as Span) }))
}

/** Seconds at which an audio feature begins. */
export function featureStart(feature: number): number {
  return Math.floor(feature / FEATURES) + FEATURE_SECONDS * (feature % FEATURES)
}

function costsOf(rows: readonly Float32Array[]): Float64Array {
  const [{ length } = new Float32Array(0)] = rows
  const costs = new Float64Array(rows.length * length)
  for (const [row, values] of rows.entries()) {
    for (let i = 0; i < length; i++) costs[row * length + i] = -Math.log((values[i] as number) + FLOOR)
  }
  return costs
}

/** Tokens of a word that say something; those of punctuation take pauses, which are not the word. All where none says something. */
function tokensOf(word: Range, ranges: readonly Range[], text: string): number[] {
  const all: number[] = []
  for (const [i, { start, end }] of ranges.entries()) if (start < word.end && end > word.start) all.push(i)
  const said = all.filter((i) => {
    const { start, end } = ranges[i] as Range
    return SAID.test(text.slice(Math.max(start, word.start), Math.min(end, word.end)))
  })
  return said.length > 0 ? said : all
}

/** Each boundary between words that is at a pause, or near one, becomes the pause: the word before ends with its start. */
function atPauses(spans: readonly Span[], pauses: readonly Span[], seconds: number): Span[] {
  const moved = spans.map(({ start, end }) => ({ start, end }))
  for (let i = 0; i <= moved.length; i++) {
    const [before, after] = [moved[i - 1], moved[i]]
    const pause = nearest(pauses, before?.end ?? 0, after?.start ?? seconds)
    if (!pause) continue
    if (before && pause.start > before.start) before.end = pause.start
    if (after && pause.end < after.end) after.start = pause.end
  }
  return moved
}

/** A word with a long pause in it is said where its tokens look more. */
function onOneSide(span: Span, pauses: readonly Span[], attention: readonly Float32Array[]): Span {
  let { start, end } = span
  for (const pause of pauses) {
    if (pause.end - pause.start < LONG_PAUSE || pause.start <= start || pause.end >= end) continue
    const isAfter = attentionIn(attention, pause.end, end) > attentionIn(attention, start, pause.start)
    if (isAfter) start = pause.end
    else end = pause.start
  }
  return { start, end }
}

function attentionIn(attention: readonly Float32Array[], start: number, end: number): number {
  let sum = 0
  for (const row of attention) {
    for (const [i, weight] of row.entries()) {
      const middle = featureStart(i) + FEATURE_SECONDS / 2
      if (middle >= start && middle < end) sum += weight
    }
  }
  return sum
}

function nearest(pauses: readonly Span[], from: number, to: number): Span | undefined {
  let best: Span | undefined
  let least = REACH
  for (const pause of pauses) {
    const distance = Math.max(pause.start - to, from - pause.end, 0)
    if (distance < least || (distance === least && !best)) [best, least] = [pause, distance]
  }
  return best
}

/** Words that a pause was put between are moved apart; neighbours that share a feature meet in its middle. */
function ordered(spans: readonly Span[]): Span[] {
  const out: { start: number; end: number }[] = []
  for (const { start, end } of spans) {
    const before = out.at(-1)
    if (before && before.end > start) {
      const middle = Math.max(before.start, Math.min((before.end + start) / 2, end))
      before.end = middle
      out.push({ start: middle, end: Math.max(middle, end) })
    } else out.push({ start, end: Math.max(start, end) })
  }
  return out
}
