// SPDX-License-Identifier: Apache-2.0

import { bestEnds, LINE, type Lines, LONGEST, linesOf, SHORTEST } from './cue-breaks.ts'
import { breakable } from './line-breaks.ts'
import { type PartTimes, partTimes } from './part-times.ts'
import type { TimedWord } from './runtime/timed-word.ts'
import { letterPlaces, lettersOf } from './word-places.ts'

/** A piece of text with its place in the recording, in seconds. */
export interface TimedText {
  readonly start: number
  readonly end: number
  readonly text: string
  /** of the text, where their times are known */
  readonly words?: readonly TimedWord[]
}

/** A subtitle. */
export interface Cue extends TimedText {
  /** where in the text words begin, in UTF-16 units, and when they do, in seconds; where the times of words are known */
  readonly marks?: readonly { readonly at: number; readonly seconds: number }[]
}

/** A text as it is cut. */
interface Cuttable {
  /** that a line may be broken between */
  readonly parts: readonly string[]
  readonly measured: Lines
  readonly start: number
  readonly end: number
  /** undefined where the times of its words are not known */
  readonly said: PartTimes | undefined
}

/**
 * Cut text into subtitles, at ends of sentences where that fits and else between words. Where the times of words are known, a
 * cue begins with its first word and ends with its last one. Else time is shared out within a text by its length, so that a cue
 * is right as far as the text is spoken evenly.
 * @param texts in the order of their times; words may overlap and be out of order
 * @returns cues in the order of their times, which do not overlap
 */
export function cuesOf(texts: readonly TimedText[]): Cue[] {
  const cues: Cue[] = []
  const all = texts.map(cuttable).filter(({ parts }) => parts.length > 0)
  for (const [i, text] of all.entries()) {
    const free = cues.at(-1)?.end ?? 0
    const next = all[i + 1]
    const room = next?.said?.begins[0] ?? next?.start ?? Number.POSITIVE_INFINITY
    cues.push(...(text.said ? cuesByWords(text, text.said, free, room) : cuesByLength(text, free, room)))
  }
  return cues
}

function cuttable({ text, start, end, words }: TimedText): Cuttable {
  const parts = breakable(text, LINE)
  return {
    parts,
    measured: linesOf(parts),
    start,
    end,
    said: words && partTimes(parts, words, { start, end }),
  }
}

/**
 * @param free when the cues before have ended
 * @param room when the next text begins
 */
function cuesByLength({ parts, measured, ...text }: Cuttable, free: number, room: number): Cue[] {
  const start = Math.max(text.start, free)
  const spoken = Math.max(start, text.end)
  const total = measured.length(0, parts.length)
  const perColumn = (spoken - start) / total
  const seconds = (first: number, end: number) => measured.length(first, end) * perColumn
  const ends = bestEnds(parts, measured, { spoken: seconds, shown: seconds, pause: () => 0 })
  const needed = start + SHORTEST * ends.length
  const end = Math.max(spoken, Math.min(needed, Math.max(room, start + 0.001 * ends.length)))
  const at = (part: number) => start + ((end - start) * measured.length(0, part)) / total
  return ends.map((last, i): Cue => {
    const first = ends[i - 1] ?? 0
    const text = textOf(parts, measured, first, last)
    return { start: at(first), end: Math.min(at(last), at(first) + LONGEST), text }
  })
}

/** As {@link cuesByLength}, in whole milliseconds. */
function cuesByWords({ parts, measured }: Cuttable, said: PartTimes, free: number, room: number): Cue[] {
  const begin = (part: number) => said.begins[part] ?? Number.POSITIVE_INFINITY
  const spoken = (first: number, end: number) => (said.ends[end - 1] ?? 0) - begin(first)
  const lasts = bestEnds(parts, measured, {
    spoken,
    shown: (first, end) => Math.max(spoken(first, end), Math.min(SHORTEST, begin(end) - begin(first))),
    pause: (part) => begin(part) - (said.ends[part - 1] ?? 0),
  })
  let earliest = Math.ceil(1000 * free - 1e-6)
  const firsts = [0, ...lasts.slice(0, -1)]
  const starts = firsts.map((first) => {
    const start = Math.max(milliseconds(begin(first)), earliest)
    earliest = start + 1
    return start
  })
  return lasts.map((last, i): Cue => {
    const [first, start, next = Number.POSITIVE_INFINITY] = [firsts[i] ?? 0, starts[i] ?? 0, starts[i + 1]]
    const least = Math.min(start + 1000 * SHORTEST, next, Math.round(1000 * room))
    const wanted = Math.max(milliseconds(said.ends[last - 1] ?? 0), least)
    const end = Math.max(start + 1, Math.min(wanted, start + 1000 * LONGEST, next))
    const text = textOf(parts, measured, first, last)
    const marks = marksOf(text, lettersBefore(parts, first), said.words)
    return { start: start / 1000, end: end / 1000, text, marks }
  })
}

function lettersBefore(parts: readonly string[], end: number): number {
  return parts.slice(0, end).reduce((sum, part) => sum + lettersOf(part).length, 0)
}

/** @param before how many letters of the words' text are in front of this part of it */
function marksOf(text: string, before: number, words: PartTimes['words']): NonNullable<Cue['marks']> {
  const at = letterPlaces(text)
  return words.flatMap(({ from, start }) => {
    const place = at[from - before]
    return place === undefined ? [] : [{ at: place, seconds: start }]
  })
}

function textOf(parts: readonly string[], measured: Lines, first: number, end: number): string {
  const lines = measured.lines(first, end) ?? [parts.slice(first, end)]
  return lines.map((line) => line.join('').trim()).join('\n')
}

/** SubRip: a number, the times and the text of each cue, and an empty line. It has no way to write an arrow of its own. */
export function srt(cues: readonly TimedText[]): string {
  return cues
    .map(({ start, end, text }, i) => {
      const times = `${clock(start, ',')} --> ${clock(end, ',')}`
      return `${i + 1}\n${times}\n${withoutEmptyLines(text).replaceAll('-->', '→')}\n`
    })
    .join('\n')
}

/**
 * WebVTT (https://www.w3.org/TR/webvtt1/): a header, the times and the escaped text of each cue.
 * @param options `marksWords`: put the time of each word but the first in front of it, so that players show how far the speaker is
 */
export function vtt(cues: readonly Cue[], { marksWords = false } = {}): string {
  const blocks = cues.map((cue) => {
    const text = withoutEmptyLines(marksWords ? markedText(cue) : escaped(cue.text))
    return `${clock(cue.start, '.')} --> ${clock(cue.end, '.')}\n${text}\n`
  })
  return ['WEBVTT\n', ...blocks].join('\n')
}

/** With WebVTT's cue timestamps, which rise within a cue and lie inside of its times (section 4.2.2): others are left out. */
function markedText({ start, end, text, marks = [] }: Cue): string {
  const pieces: string[] = []
  let [from, last] = [0, milliseconds(start)]
  for (const { at, seconds } of marks) {
    const time = milliseconds(seconds)
    if (at === 0 || time <= last || time >= milliseconds(end)) continue
    pieces.push(escaped(text.slice(from, at)), `<${clock(seconds, '.')}>`)
    ;[from, last] = [at, time]
  }
  return [...pieces, escaped(text.slice(from))].join('')
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** An empty line ends a cue. */
function withoutEmptyLines(text: string): string {
  return text
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '')
    .join('\n')
}

function milliseconds(seconds: number): number {
  return Math.round(1000 * seconds)
}

function clock(seconds: number, point: string): string {
  const total = milliseconds(seconds)
  const part = (size: number, of: number, digits: number) =>
    String(Math.floor(total / size) % of).padStart(digits, '0')
  return `${part(3_600_000, 1e9, 2)}:${part(60_000, 60, 2)}:${part(1000, 60, 2)}${point}${part(1, 1000, 3)}`
}
