// SPDX-License-Identifier: Apache-2.0

import type { Sample } from '../bootstrap.ts'
import { type NormalizerName, smallestWords } from '../normalize/normalizers.ts'
import { alignWords, type Operation } from '../wer.ts'
import type { Hotwords } from './hotwords.ts'
import { type Phrase, type Place, phrasesOf, placesOf } from './phrases.ts'

/* Hotwords of one utterance: which were recognized, missed, and inserted wrongly. */

/** How the hotwords of one utterance were recognized. */
export interface HotwordScore {
  /** errors on words of the utterance's rare ones, of which `length` are in the reference: B-WER */
  readonly biased: Sample
  /** on all others: U-WER */
  readonly unbiased: Sample
  /** rare ones that were not recognized, of those in the reference */
  readonly missed: Sample
  /** listed ones in the hypothesis that the reference does not have, and the words of the reference */
  readonly inserted: Sample
  /** how many hotwords its list has */
  readonly listed: number
}

/** Both sides, aligned. */
interface Aligned {
  readonly reference: readonly string[]
  readonly hypothesis: readonly string[]
  readonly operations: readonly Operation[]
}

/**
 * Score one utterance as Le et al. define it ("Contextualized Streaming End-to-End Speech Recognition with Trie-Based
 * Deep Biasing and Shallow Fusion", Interspeech 2021). A substitution or deletion counts by the word of the
 * reference, an insertion by the inserted word. A phrase of several words has each of its words where the reference
 * has the whole of it. Alignments are those of WER; characters stand for words in scripts without spaces.
 */
export function scoreHotwords(
  aligned: Aligned,
  { rare, list }: Hotwords,
  normalizer: NormalizerName,
): HotwordScore {
  const sides = inSmallestWords(aligned)
  const [wanted, found] = [new Set(sides.reference), new Set(sides.hypothesis)]
  const places = placesOf(sides.reference, phrasesOf(rare, normalizer, wanted))
  const rareWords = new Set(phrasesOf(rare, normalizer, new Set([...wanted, ...found])).flat())
  const isHit = hitsOf(sides.operations)
  return {
    ...splitErrors(sides, places, rareWords),
    missed: {
      errors: places.filter(({ from, to }) => !isHit.slice(from, to).every(Boolean)).length,
      length: places.length,
    },
    inserted: {
      errors: countInserted(sides, phrasesOf(list, normalizer, found)),
      length: sides.reference.length,
    },
    listed: list.length,
  }
}

function inSmallestWords({ reference, hypothesis, operations }: Aligned): Aligned {
  const [wanted, found] = [smallestWords(reference), smallestWords(hypothesis)]
  const isSame = wanted.length === reference.length && found.length === hypothesis.length
  return {
    reference: wanted,
    hypothesis: found,
    operations: isSame ? operations : alignWords(wanted, found),
  }
}

/** For each word of the reference, whether it was recognized. */
function hitsOf(operations: readonly Operation[]): boolean[] {
  return operations.filter((operation) => operation !== 'i').map((operation) => operation === 'h')
}

function splitErrors(
  { hypothesis, operations }: Aligned,
  places: readonly Place[],
  rareWords: ReadonlySet<string>,
): Pick<HotwordScore, 'biased' | 'unbiased'> {
  const isBiased = new Set(
    places.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i)),
  )
  const sums = { biased: { errors: 0, length: 0 }, unbiased: { errors: 0, length: 0 } }
  let [at, heard] = [0, 0]
  for (const operation of operations) {
    const isRare = operation === 'i' ? rareWords.has(hypothesis[heard] ?? '') : isBiased.has(at)
    const sum = isRare ? sums.biased : sums.unbiased
    if (operation !== 'h') sum.errors++
    if (operation !== 'i') sum.length++
    if (operation !== 'i') at++
    if (operation !== 'd') heard++
  }
  return sums
}

/** By their number, so that one that was recognized elsewhere than the alignment has it is not counted. */
function countInserted({ reference, hypothesis }: Aligned, listed: readonly Phrase[]): number {
  const excess = new Map<Phrase, number>()
  const add = (words: readonly string[], step: number) => {
    for (const { phrase } of placesOf(words, listed)) excess.set(phrase, (excess.get(phrase) ?? 0) + step)
  }
  add(hypothesis, 1)
  add(reference, -1)
  return [...excess.values()].reduce((sum, count) => sum + Math.max(0, count), 0)
}
