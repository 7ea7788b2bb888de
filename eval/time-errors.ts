// SPDX-License-Identifier: Apache-2.0

import { type Interval, meanInterval, quantile, type Values } from './bootstrap.ts'
import { exact } from './dataset/timed-words.ts'
import { type NormalizerName, normalizedWords, smallestWords } from './normalize/normalizers.ts'
import type { TimedWord } from './runtime/timed-word.ts'
import { alignWords } from './wer.ts'

/* How right times of words are: errors of their starts and ends against a reference. */

/** Signed errors of one utterance's edges in seconds: times of the hypothesis less those of the reference. */
export interface EdgeErrors {
  readonly starts: readonly number[]
  readonly ends: readonly number[]
  /** edges of the reference: two for each entry with a word */
  readonly of: number
}

/** Words of a hypothesis whose times cannot be right. */
export interface OddTimes {
  readonly words: number
  /** with a letter or digit, that end when they start, or before */
  readonly zeroLength: number
  /** that start before the word ahead of them does */
  readonly nonMonotonic: number
  /** that end after the recording */
  readonly afterEnd: number
}

/** How right the times of one utterance are. */
export interface WordTimes {
  readonly errors: EdgeErrors
  readonly odd: OddTimes
}

/** Of absolute errors, in seconds; NaN of none. */
export interface EdgeFigures {
  readonly edges: number
  readonly mean: number
  readonly median: number
  /** mean of the signed errors: positive when the hypothesis is late */
  readonly bias: number
  /** shares of edges that are at most 80 and 200 ms away */
  readonly within80: number
  readonly within200: number
}

/** How far edges are from those of a reference, over all utterances. */
export interface EdgeSummary {
  /** utterances of which both sides have times */
  readonly utterances: number
  /** edges of their references; those of words that are not in the hypothesis have no error */
  readonly referenceEdges: number
  readonly starts: EdgeFigures
  readonly ends: EdgeFigures
  readonly all: EdgeFigures
  /** of all edges */
  readonly meanInterval: Interval
  readonly within80Interval: Interval
}

/** How right the times of a system are, over all utterances. */
export interface TimeFigures extends EdgeSummary {
  readonly odd: OddTimes
}

/** A recording ends between two samples, and times are written to a millisecond. */
const ROUNDING = 0.001

const SAID = /[\p{L}\p{N}]/u

/** A word as it is compared. An entry of several words (`on the`) has a start with its first alone, and an end with its last. */
interface Unit {
  readonly text: string
  readonly start: number | undefined
  readonly end: number | undefined
}

/**
 * Compare the edges of words that both sides have: aligned as for WER, by their normalized texts, each entry by itself. An edge
 * that one side has no time for, inside of an entry of several words, is left out. Words of scripts that are written without
 * spaces are compared by characters, since both sides may divide them differently.
 */
export function edgeErrors(
  reference: readonly TimedWord[],
  hypothesis: readonly TimedWord[],
  normalizer: NormalizerName,
): EdgeErrors {
  const [wanted, found] = [unitsOf(reference, normalizer), unitsOf(hypothesis, normalizer)]
  const operations = alignWords(
    wanted.map(({ text }) => text),
    found.map(({ text }) => text),
  )
  const [starts, ends]: [number[], number[]] = [[], []]
  let [i, j] = [0, 0]
  for (const operation of operations) {
    const [one, other] = [wanted[i], found[j]]
    if (operation !== 'i') i++
    if (operation !== 'd') j++
    if (operation !== 'h' || !one || !other) continue
    if (one.start !== undefined && other.start !== undefined) starts.push(exact(other.start - one.start))
    if (one.end !== undefined && other.end !== undefined) ends.push(exact(other.end - one.end))
  }
  const known = wanted.flatMap(({ start, end }) => [start, end]).filter((time) => time !== undefined)
  return { starts, ends, of: known.length }
}

/** Count the words of a hypothesis whose times cannot be right. @param seconds of the recording */
export function oddTimes(words: readonly TimedWord[], seconds: number): OddTimes {
  const count = (is: (word: TimedWord, i: number) => boolean) => words.filter(is).length
  return {
    words: words.length,
    zeroLength: count(({ text, start, end }) => end <= start && SAID.test(text)),
    nonMonotonic: count(({ start }, i) => start < (words[i - 1]?.start ?? start)),
    afterEnd: count(({ end }) => end > seconds + ROUNDING),
  }
}

/** Figures over the edges of all utterances, and the counts of odd times. */
export function summarizeTimes(utterances: readonly WordTimes[]): TimeFigures {
  const sum = (part: keyof OddTimes) => utterances.reduce((total, { odd }) => total + odd[part], 0)
  return {
    ...summarizeEdges(utterances.map(({ errors }) => errors)),
    odd: {
      words: sum('words'),
      zeroLength: sum('zeroLength'),
      nonMonotonic: sum('nonMonotonic'),
      afterEnd: sum('afterEnd'),
    },
  }
}

/** Figures over the edges of all utterances; intervals are of utterances drawn whole. */
export function summarizeEdges(errors: readonly EdgeErrors[]): EdgeSummary {
  const starts = errors.flatMap((one) => one.starts)
  const ends = errors.flatMap((one) => one.ends)
  const interval = (value: (error: number) => number) =>
    meanInterval(errors.map((one) => valuesOf([...one.starts, ...one.ends].map(value))))
  return {
    utterances: errors.length,
    referenceEdges: errors.reduce((total, one) => total + one.of, 0),
    starts: figuresOf(starts),
    ends: figuresOf(ends),
    all: figuresOf([...starts, ...ends]),
    meanInterval: interval(Math.abs),
    within80Interval: interval((error) => (Math.abs(error) <= 0.08 ? 1 : 0)),
  }
}

function unitsOf(entries: readonly TimedWord[], normalizer: NormalizerName): Unit[] {
  return entries.flatMap(({ text, start, end }) => {
    const words = smallestWords(normalizedWords(text, normalizer))
    return words.map((word, i) => ({
      text: word,
      start: i === 0 ? start : undefined,
      end: i === words.length - 1 ? end : undefined,
    }))
  })
}

function figuresOf(errors: readonly number[]): EdgeFigures {
  const sizes = errors.map(Math.abs).sort((a, b) => a - b)
  const share = (most: number) => meanOf(sizes.map((size) => (size <= most ? 1 : 0)))
  return {
    edges: errors.length,
    mean: meanOf(sizes),
    median: quantile(sizes, 0.5),
    bias: meanOf(errors),
    within80: share(0.08),
    within200: share(0.2),
  }
}

function meanOf(values: readonly number[]): number {
  const { sum, count } = valuesOf(values)
  return sum / count
}

function valuesOf(values: readonly number[]): Values {
  return { sum: values.reduce((total, value) => total + value, 0), count: values.length }
}
