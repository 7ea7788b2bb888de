// SPDX-License-Identifier: Apache-2.0

import { basicNormalize } from './basic.ts'
import { comparableText } from './comparable.ts'
import { splitWords } from './python-text.ts'
import { whisperBasic, whisperEnglish } from './whisper.ts'

const NORMALIZERS = {
  basic: basicNormalize,
  'whisper-basic': whisperBasic,
  'whisper-english': whisperEnglish,
} as const

/** Name of a normalizer of texts before they are compared. */
export type NormalizerName = keyof typeof NORMALIZERS

/** Names of all normalizers. */
export const NORMALIZER_NAMES = Object.keys(NORMALIZERS) as readonly NormalizerName[]

/** The words of a text that are compared, for WER. Canonically equivalent texts have the same. */
export function normalizedWords(text: string, normalizer: NormalizerName): string[] {
  return splitWords(NORMALIZERS[normalizer](comparableText(text)))
}

/** Scripts that are written without spaces between words; Korean is not one of them. */
const WITHOUT_SPACES =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Bopomofo}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/u

/** The words with those of such scripts in characters: where one ends there, its writers do not say. */
export function smallestWords(words: readonly string[]): string[] {
  return words.flatMap((word) => (WITHOUT_SPACES.test(word) ? Array.from(word) : [word]))
}

/**
 * The characters that are compared, for CER: those of the words, with one space between words, as jiwer has them. At
 * characters of scripts that are written without spaces there is none: Whisper's authors count such languages by
 * characters alone too (https://arxiv.org/abs/2212.04356, appendix C).
 */
export function normalizedCharacters(words: readonly string[]): string[] {
  const out: string[] = []
  for (const word of words) {
    const characters = Array.from(word)
    const ends = [out.at(-1) ?? '', characters[0] ?? '']
    if (out.length > 0 && !ends.some((character) => WITHOUT_SPACES.test(character))) out.push(' ')
    for (const character of characters) out.push(character)
  }
  return out
}
