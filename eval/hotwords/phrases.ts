// SPDX-License-Identifier: Apache-2.0

import { type NormalizerName, normalizedWords, smallestWords } from '../normalize/normalizers.ts'

/* Finding hotwords in texts. */

/** Words that stand in a row, as they are compared. */
export type Phrase = readonly string[]

/** Where a phrase stands in a text, in words. */
export interface Place {
  readonly phrase: Phrase
  readonly from: number
  /** behind its last word */
  readonly to: number
}

/** Distractors come back in list after list, and normalizing takes most of the time. */
const known = new Map<NormalizerName, Map<string, Phrase>>()

/**
 * Hotwords as they are compared: normalized as references are, in characters where a script has no spaces. Those that are the
 * same then are one, and those of which nothing is left are none.
 * @param said words; phrases that have others are left out
 */
export function phrasesOf(
  hotwords: readonly string[],
  normalizer: NormalizerName,
  said: ReadonlySet<string>,
): Phrase[] {
  const cache = known.get(normalizer) ?? new Map<string, Phrase>()
  known.set(normalizer, cache)
  const distinct = new Map<string, Phrase>()
  for (const text of hotwords) {
    const phrase = cache.get(text) ?? smallestWords(normalizedWords(text, normalizer))
    cache.set(text, phrase)
    if (phrase.length > 0 && phrase.every((word) => said.has(word))) distinct.set(phrase.join(' '), phrase)
  }
  return [...distinct.values()]
}

/** All places of the phrases in a text, which may overlap. */
export function placesOf(words: readonly string[], phrases: readonly Phrase[]): Place[] {
  const byFirst = new Map<string, Phrase[]>()
  for (const phrase of phrases) {
    const [first = ''] = phrase
    const others = byFirst.get(first)
    if (others) others.push(phrase)
    else byFirst.set(first, [phrase])
  }
  return words.flatMap((word, from) =>
    (byFirst.get(word) ?? [])
      .filter((phrase) => phrase.every((part, i) => words[from + i] === part))
      .map((phrase) => ({ phrase, from, to: from + phrase.length })),
  )
}
