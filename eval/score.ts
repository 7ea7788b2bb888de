// SPDX-License-Identifier: Apache-2.0

import { type HotwordScore, scoreHotwords } from './hotwords/hotword-score.ts'
import type { Hotwords } from './hotwords/hotwords.ts'
import { type NormalizerName, normalizedCharacters, normalizedWords } from './normalize/normalizers.ts'
import type { UtteranceRecord } from './record.ts'
import { defined } from './runtime/defined.ts'
import { edgeErrors, oddTimes, type WordTimes } from './time-errors.ts'
import { alignWords, countErrors, editDistance, NO_ERRORS, type Operation, type WordErrors } from './wer.ts'

/* What is counted of one utterance: errors, hotwords and times, by one normalizer. */

/** How one utterance was transcribed, by one normalizer. */
export interface Score {
  readonly record: UtteranceRecord
  /** words of both sides, and how they are aligned */
  readonly reference: readonly string[]
  readonly hypothesis: readonly string[]
  readonly operations: readonly Operation[]
  readonly errors: WordErrors
  /** of the reference */
  readonly characters: number
  readonly characterErrors: number
  /** where both sides have times of words */
  readonly times?: WordTimes
  /** where the utterance has a list of hotwords, used or not */
  readonly hotwords?: HotwordScore
}

/**
 * An utterance without a hypothesis has all its words deleted: it is never left out.
 * @param hotwords of the utterance, used or not
 */
export function scoreUtterance(
  record: UtteranceRecord,
  normalizer: NormalizerName,
  hotwords?: Hotwords,
): Score {
  const reference = normalizedWords(record.reference, normalizer)
  const hypothesis = normalizedWords(record.text, normalizer)
  const operations = alignWords(reference, hypothesis)
  const characters = normalizedCharacters(reference)
  return {
    ...{ record, reference, hypothesis, operations, errors: countErrors(operations) },
    characters: characters.length,
    characterErrors: editDistance(characters, normalizedCharacters(hypothesis)),
    ...defined({
      times: timesOf(record, normalizer),
      hotwords: hotwords && scoreHotwords({ reference, hypothesis, operations }, hotwords, normalizer),
    }),
  }
}

/** Of an aligner, which has no hypothesis: its words are those of the reference, and nothing is counted but their times. */
export function scoreAligned(record: UtteranceRecord, normalizer: NormalizerName): Score {
  return {
    ...{ record, reference: [], hypothesis: [], operations: [], errors: NO_ERRORS },
    ...{ characters: 0, characterErrors: 0 },
    ...defined({ times: timesOf(record, normalizer) }),
  }
}

function timesOf(
  { words, referenceWords, seconds }: UtteranceRecord,
  normalizer: NormalizerName,
): WordTimes | undefined {
  if (!words || !referenceWords) return undefined
  return { errors: edgeErrors(referenceWords, words, normalizer), odd: oddTimes(words, seconds) }
}
