// SPDX-License-Identifier: Apache-2.0

import type { UtteranceRecord } from '../record.ts'
import type { Score } from '../score.ts'
import { totalErrors } from '../wer.ts'
import { placeWords } from '../word-places.ts'
import type { Report } from './report.ts'

/* The data of the page's list of utterances. */

/** An utterance as the page lists it. */
export interface ListedUtterance {
  readonly key: string
  readonly dataset: string
  readonly id: string
  readonly row: number
  readonly speaker: string
  readonly seconds: number
  readonly reference: string
  /** its words whose times are known, as those of a result */
  readonly said: ListedResult['spoken']
  /** what was odd in the recording when it was read */
  readonly notes: readonly string[]
  /** by place in the list of systems; null where one has none */
  readonly results: readonly (ListedResult | null)[]
}

/** What one system made of an utterance, for the list on the page; `compute` in seconds. */
export interface ListedResult {
  /** one letter for each step of the alignment, and the words of both sides */
  readonly operations: string
  readonly words: readonly string[]
  readonly heard: readonly string[]
  readonly errors: number
  readonly text: string
  /** the text is the reference, whose words an aligner has timed: nothing was recognized, and nothing can differ */
  readonly isAligned?: true
  readonly compute: number
  /** failed in a way that WER does not name */
  readonly failures: readonly string[]
  /** words of the text that have times: from where to where they stand in it, in UTF-16 units, and in seconds */
  readonly spoken: readonly (readonly [from: number, to: number, start: number, end: number])[]
  /** where it was split, in seconds */
  readonly splits: readonly number[]
}

/** Utterances of all datasets, with what each system made of them. */
export function listUtterances(report: Report): ListedUtterance[] {
  return [...report.scores].flatMap(([dataset, systems]) => {
    const bySystem = [...systems.values()].map(
      (scores) => new Map(scores.map((score) => [score.record.key, score] as const)),
    )
    const aligners = report.systems.map(({ kind }) => kind === 'aligner')
    return [...recordsOf(systems)].map(([key, record]) => {
      const results = bySystem.map((scores, i) => listResult(scores.get(key), aligners[i] === true))
      const records = bySystem.flatMap((scores) => scores.get(key)?.record ?? [])
      const seconds = Math.max(0, ...records.map((one) => one.seconds))
      const notes = [...new Set(records.flatMap(({ warnings = [] }) => warnings))]
      const { id, row, speaker = '', reference } = record
      const known = records.find(({ referenceWords }) => referenceWords)?.referenceWords
      const said = spokenWords(reference, known)
      return { key, dataset, id, row, speaker, seconds, reference, said, notes, results }
    })
  })
}

/** Where utterances are in that list, by dataset and key. */
export function placesInList(report: Report): ReadonlyMap<string, ReadonlyMap<string, number>> {
  let next = 0
  return new Map(
    [...report.scores].map(([dataset, systems]) => [
      dataset,
      new Map([...recordsOf(systems).keys()].map((key) => [key, next++])),
    ]),
  )
}

/** One record of each utterance, by key. */
function recordsOf(systems: ReadonlyMap<string, readonly Score[]>): ReadonlyMap<string, UtteranceRecord> {
  return new Map([...systems.values()].flat().map(({ record }) => [record.key, record]))
}

function listResult(score: Score | undefined, isAligned: boolean): ListedResult | null {
  if (!score) return null
  const { record, operations, reference, hypothesis, errors } = score
  const text = isAligned ? record.reference : record.text
  return {
    operations: operations.join(''),
    ...{ words: reference, heard: hypothesis, errors: totalErrors(errors) },
    ...{ text, compute: Number(record.compute.toFixed(4)), failures: failuresOf(record, isAligned) },
    ...(isAligned && { isAligned }),
    spoken: spokenWords(text, record.words),
    splits: record.pieces.slice(1).map(({ start }) => Number(start.toFixed(1))),
  }
}

function spokenWords(text: string, words: UtteranceRecord['words'] = []): ListedResult['spoken'] {
  const rounded = (seconds: number) => Number(seconds.toFixed(3))
  return placeWords(text, words).map(({ from, to, start, end }) => [from, to, rounded(start), rounded(end)])
}

function failuresOf({ problem, text, pieces, doubts = [] }: UtteranceRecord, isAligned: boolean): string[] {
  const any = (is: (piece: (typeof pieces)[number]) => boolean, what: string) =>
    pieces.some(is) ? [what] : []
  return [
    ...(problem === undefined ? [] : [problem]),
    ...doubts,
    ...(problem === undefined && text === '' && !isAligned ? ['no text'] : []),
    ...any(({ saysNone }) => saysNone, 'said "language None"'),
    ...any(({ hasMarker }) => !hasMarker, 'without <asr_text>'),
    ...any(({ ending }) => ending === 'loop', 'stopped in a loop'),
    ...any(({ ending }) => ending === 'limit', 'cut at the token limit'),
    ...any(({ hasRecited }) => hasRecited === true, 'recited its context, decoded again without'),
  ]
}
