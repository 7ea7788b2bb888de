import { basicNormalize } from './basic.ts'
import { splitWords } from './python-text.ts'
import { whisperBasic, whisperEnglish } from './whisper.ts'

const NORMALIZERS = {
  basic: basicNormalize,
  'whisper-basic': whisperBasic,
  'whisper-english': whisperEnglish,
} as const

export type NormalizerName = keyof typeof NORMALIZERS

export const NORMALIZER_NAMES = Object.keys(NORMALIZERS) as readonly NormalizerName[]

/** The words of a text that are compared, for WER. */
export function normalizedWords(text: string, normalizer: NormalizerName): string[] {
  return splitWords(NORMALIZERS[normalizer](text))
}

/** The characters that are compared, for CER: those of the words, with one space between words (as jiwer). */
export function normalizedCharacters(words: readonly string[]): string[] {
  return Array.from(words.join(' '))
}
