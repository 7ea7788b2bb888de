// SPDX-License-Identifier: Apache-2.0

import type { NormalizerName } from '../normalize/normalizers.ts'
import type { DatasetDescription } from '../run-description.ts'
import type { LanguageCode } from '../runtime/languages.ts'
import type { TimedWord } from '../runtime/timed-word.ts'

/** One recording with its reference transcript. */
export interface Utterance {
  readonly id: string
  /** its number in the whole dataset */
  readonly row: number
  /** identifies the recording by content, or by revision and row; another recording has another key */
  readonly key: string
  /** the audio file; undefined when the dataset holds none, and then `problem` says why */
  readonly path: string | undefined
  /** the reference */
  readonly text: string
  readonly speaker?: string
  /** of the reference, with their times; they may differ from `text` in case and punctuation */
  readonly words?: readonly TimedWord[]
  /** words and phrases that may be said, where the dataset has them */
  readonly hotwords?: readonly string[]
  readonly problem?: string
}

/** The utterances of one dataset that were chosen to be transcribed. */
export interface Dataset extends Omit<DatasetDescription, 'language' | 'normalizer'> {
  /** undefined when it is not known */
  readonly language?: LanguageCode
  /** of the tables, unless the user names another; undefined when the dataset names none */
  readonly normalizer?: NormalizerName
  /** how many more have no reference, and are therefore none of the chosen ones */
  readonly leftOut: number
  /** where the audio of a chosen utterance is, once it has been fetched */
  audioPath(key: string): string | undefined
  /** bytes that reading all of them fetches, those in the cache left out */
  readonly download: number
  /**
   * In the order of the dataset; audio is fetched shortly before it is yielded.
   * @param isWanted by key; what is not wanted is neither fetched nor yielded
   */
  utterances(isWanted: (key: string) => boolean, signal: AbortSignal): AsyncIterable<Utterance>
}

/** Which utterances of a dataset. */
export interface Selection {
  /**
   * first: as they stand (test sets are ordered by speaker); seeded: a seeded choice over row groups and rows; all.
   */
  readonly sample: 'first' | 'seeded' | 'all'
  /** how many, unless all */
  readonly count: number
  readonly seed: number
  /** part `index` (from 1) of `of` of the chosen ones */
  readonly shard?: { readonly index: number; readonly of: number }
}
