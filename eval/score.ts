import { type NormalizerName, normalizedCharacters, normalizedWords } from './normalize/normalizers.ts'
import type { UtteranceRecord } from './record.ts'
import { alignWords, countErrors, editDistance, type Operation, type WordErrors } from './wer.ts'

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
}

/** An utterance without a hypothesis has all its words deleted: it is never left out. */
export function scoreUtterance(record: UtteranceRecord, normalizer: NormalizerName): Score {
  const reference = normalizedWords(record.reference, normalizer)
  const hypothesis = normalizedWords(record.text, normalizer)
  const operations = alignWords(reference, hypothesis)
  const characters = normalizedCharacters(reference)
  return {
    ...{ record, reference, hypothesis, operations, errors: countErrors(operations) },
    characters: characters.length,
    characterErrors: editDistance(characters, normalizedCharacters(hypothesis)),
  }
}
