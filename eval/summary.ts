// SPDX-License-Identifier: Apache-2.0

import { bootstrapInterval, type Difference, type Interval, pairedDifference, quantile } from './bootstrap.ts'
import {
  compareHotwords,
  type HotwordDifferences,
  type HotwordFigures,
  summarizeHotwords,
} from './hotwords/hotword-figures.ts'
import type { Hotwords } from './hotwords/hotwords.ts'
import { isBlank } from './normalize/comparable.ts'
import type { NormalizerName } from './normalize/normalizers.ts'
import type { UtteranceRecord } from './record.ts'
import type { SystemDescription } from './run-description.ts'
import type { AlignerTiming } from './runtime/aligner/aligner.ts'
import { defined } from './runtime/defined.ts'
import type { Timing } from './runtime/timing.ts'
import { type Score, scoreAligned, scoreUtterance } from './score.ts'
import { summarizeTimes, type TimeFigures } from './time-errors.ts'
import { addErrors, errorRate, NO_ERRORS, totalErrors, type WordErrors, wordErrorRate } from './wer.ts'

/* Figures of a system over all utterances of a dataset, and differences between two systems. */

/** Seconds below which half, nine tenths and 99 of 100 utterances are. */
export interface Percentiles {
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

/** Outputs that failed in a way that WER does not name; an utterance may be in several. */
export interface Failures {
  /** could not be read or transcribed: all words count as deleted */
  readonly problems: number
  /** no text where the reference has one */
  readonly empty: number
  /** the model said `language None` */
  readonly saysNone: number
  /** without `<asr_text>` */
  readonly withoutMarker: number
  /** loops that the guard stopped */
  readonly loops: number
  /** ended by the token limit */
  readonly limited: number
}

/** What one system did on one dataset, by one normalizer. */
export interface Row {
  readonly dataset: string
  readonly system: string
  readonly normalizer: NormalizerName
  readonly utterances: number
  /** of aligners, which have no hypotheses, counts of words are 0, and rates and their intervals NaN */
  readonly errors: WordErrors
  readonly wer: number
  readonly werInterval: Interval
  readonly characters: number
  readonly cer: number
  readonly cerInterval: Interval
  readonly failures: Failures
  readonly speed: Speed
  /** undefined unless both sides of an utterance have times of words */
  readonly times?: TimeFigures
  /** undefined unless an utterance has a list of hotwords */
  readonly hotwords?: HotwordFigures
  /** utterances with a piece whose output was its context, which was then decoded again without */
  readonly recitals: number
}

/** Times are seconds; of utterances that were transcribed. */
export interface Speed {
  readonly audioSeconds: number
  readonly compute: number
  /** compute / audio, and audio / compute */
  readonly rtf: number
  readonly rtfx: number
  /** undefined for engines; aligners decode nothing */
  readonly timing?: AlignerTiming & Partial<Timing>
  /** computed, those of loops that were cut out too */
  readonly tokens: number
  /** of decoding after the prefill; NaN where nothing is decoded */
  readonly tokensPerSecond: number
  readonly firstToken?: Percentiles
  /** compute of a whole utterance */
  readonly latency: Percentiles
}

/** How two systems differ on one dataset, by one normalizer. */
export interface PairedRow extends Difference {
  readonly dataset: string
  readonly normalizer: NormalizerName
  readonly first: string
  readonly second: string
  /** on utterances that both have */
  readonly utterances: number
  /** where the second differs from the first by lists of hotwords alone */
  readonly hotwords?: HotwordDifferences
}

/** Of one system's records. */
interface ScoreOptions {
  readonly kind: SystemDescription['kind']
  readonly normalizer: NormalizerName
  /** by the utterance's key */
  readonly hotwords: ReadonlyMap<string, Hotwords>
}

/** Scores of a system's records in the order of the dataset. */
export function scoreAll(
  records: readonly UtteranceRecord[],
  { kind, normalizer, hotwords }: ScoreOptions,
): Score[] {
  const score = (record: UtteranceRecord) =>
    kind === 'aligner'
      ? scoreAligned(record, normalizer)
      : scoreUtterance(record, normalizer, hotwords.get(record.key))
  return records.map(score).sort((a, b) => a.record.row - b.record.row)
}

interface Names {
  readonly dataset: string
  readonly system: string
  readonly normalizer: NormalizerName
}

/** Corpus figures of one system on one dataset. */
export function summarize(names: Names, kind: SystemDescription['kind'], scores: readonly Score[]): Row {
  const errors = scores.reduce((sum, score) => addErrors(sum, score.errors), NO_ERRORS)
  const characters = scores.reduce((sum, score) => sum + score.characters, 0)
  const characterErrors = scores.reduce((sum, score) => sum + score.characterErrors, 0)
  // Nothing transcribed is not a measurement, and not the same as silence.
  const heard = kind === 'aligner' ? [] : scores
  const measured = (rate: number) => (heard.length === 0 ? Number.NaN : rate)
  const timed = scores.flatMap(({ times }) => times ?? [])
  const listed = scores.flatMap(({ hotwords }) => hotwords ?? [])
  return {
    ...names,
    utterances: scores.length,
    errors,
    wer: measured(wordErrorRate(errors)),
    werInterval: bootstrapInterval(heard.map(wordSample)),
    characters,
    cer: measured(errorRate(characterErrors, characters)),
    cerInterval: bootstrapInterval(
      heard.map((score) => ({ errors: score.characterErrors, length: score.characters })),
    ),
    failures: countFailures(
      scores.map(({ record }) => record),
      kind,
    ),
    speed: measureSpeed(scores.map(({ record }) => record).filter(({ problem }) => problem === undefined)),
    ...(timed.length > 0 && { times: summarizeTimes(timed) }),
    ...(listed.length > 0 && { hotwords: summarizeHotwords(listed) }),
    recitals: scores.filter(({ record }) => record.pieces.some(({ hasRecited }) => hasRecited)).length,
  }
}

/**
 * Whether two systems differ on the utterances that both transcribed.
 * @param comparesLists the second differs from the first by lists of hotwords alone
 */
export function compareScores(
  names: Pick<PairedRow, 'dataset' | 'normalizer' | 'first' | 'second'>,
  first: readonly Score[],
  second: readonly Score[],
  comparesLists: boolean,
): PairedRow {
  const others = new Map(second.map((score) => [score.record.key, score]))
  const pairs = first.flatMap((score) => {
    const other = others.get(score.record.key)
    return other ? [[score, other] as const] : []
  })
  const difference = pairedDifference(
    pairs.map(([a]) => wordSample(a)),
    pairs.map(([, b]) => wordSample(b)),
  )
  const listed = comparesLists
    ? pairs.flatMap(([a, b]) => (a.hotwords && b.hotwords ? [[a.hotwords, b.hotwords] as const] : []))
    : []
  return {
    ...{ ...names, utterances: pairs.length, ...difference },
    ...(listed.length > 0 && { hotwords: compareHotwords(listed) }),
  }
}

function wordSample({ errors }: Score) {
  return { errors: totalErrors(errors), length: errors.words }
}

function countFailures(records: readonly UtteranceRecord[], kind: SystemDescription['kind']): Failures {
  const count = (is: (record: UtteranceRecord) => boolean) => records.filter(is).length
  const ofModels = records.filter(({ pieces }) => pieces.length > 0)
  const pieces = (is: (piece: UtteranceRecord['pieces'][number]) => boolean) =>
    ofModels.filter((record) => record.pieces.some(is)).length
  return {
    problems: count(({ problem }) => problem !== undefined),
    empty: count(
      ({ problem, text, reference }) =>
        kind !== 'aligner' && problem === undefined && text === '' && !isBlank(reference),
    ),
    saysNone: pieces(({ saysNone }) => saysNone),
    withoutMarker: pieces(({ hasMarker }) => !hasMarker),
    loops: pieces(({ ending }) => ending === 'loop'),
    limited: pieces(({ ending }) => ending === 'limit'),
  }
}

function measureSpeed(records: readonly UtteranceRecord[]): Speed {
  const sum = (of: (record: UtteranceRecord) => number) =>
    records.reduce((total, record) => total + of(record), 0)
  const [audioSeconds, compute] = [sum(({ seconds }) => seconds), sum((record) => record.compute)]
  const tokens = sum(({ pieces }) => pieces.reduce((total, piece) => total + piece.generated, 0))
  const timing = timingOf(records)
  const firstTokens = records.flatMap(({ pieces }) => pieces.slice(0, 1).map((piece) => piece.firstToken))
  return {
    ...{ audioSeconds, compute, rtf: compute / audioSeconds, rtfx: audioSeconds / compute },
    ...defined({ timing }),
    ...(firstTokens.length > 0 && { firstToken: percentiles(firstTokens) }),
    ...{ tokens, tokensPerSecond: tokens / (timing?.decode ?? Number.NaN) },
    latency: percentiles(records.map((record) => record.compute)),
  }
}

/** Of all records, which are of one system. */
function timingOf(records: readonly UtteranceRecord[]): Speed['timing'] {
  const parts = records.flatMap(({ pieces, timing }) => timing ?? pieces.map((piece) => piece.timing))
  const part = (name: keyof Timing) =>
    parts.reduce((total, one: AlignerTiming & Partial<Timing>) => total + (one[name] ?? 0), 0)
  if (parts.length === 0) return undefined
  const before = { mel: part('mel'), encoder: part('encoder'), prefill: part('prefill') }
  return parts.some((one) => 'decode' in one) ? { ...before, decode: part('decode') } : before
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((a, b) => a - b)
  return { p50: quantile(sorted, 0.5), p90: quantile(sorted, 0.9), p99: quantile(sorted, 0.99) }
}
