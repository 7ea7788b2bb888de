// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'

/* The parts of a text that a forced aligner gives times: words, and ideographs. */

/** A part of a text that is given a start and an end. */
export interface Unit {
  /** what the model reads of it: letters, numbers and apostrophes */
  readonly spoken: string
  /** where that stands in the text, in UTF-16 units, from its first to behind its last character */
  readonly start: number
  readonly end: number
}

/* The rules are those of transformers' Qwen3ASRProcessor.split_words_for_alignment, by which the model was trained. */

/** Ideographs, each of which is a unit: the blocks that the reference lists. */
const IDEOGRAPH =
  '\\u4e00-\\u9fff\\u3400-\\u4dbf\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2b73f}\\u{2b740}-\\u{2b81f}\\u{2b820}-\\u{2ceaf}' +
  '\\uf900-\\ufaff\\u{2f800}-\\u{2fa1f}'
/** What Python's str.isspace says of; JavaScript's \s has U+FEFF, and lacks the separators U+001C to U+001F and U+0085. */
const SPACE = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000'

const IDEOGRAPH_OR_RUN = new RegExp(`[${IDEOGRAPH}]|[^${IDEOGRAPH}${SPACE}]+`, 'gu')
const RUN = new RegExp(`[^${SPACE}]+`, 'gu')
const DROPPED = new RegExp(`[^'\\p{L}\\p{N}${IDEOGRAPH}]`, 'gu')
/** From the first to the last character that is kept, with the accents of the last. */
const KEPT = new RegExp(`['\\p{L}\\p{N}${IDEOGRAPH}](?:.*['\\p{L}\\p{N}${IDEOGRAPH}])?\\p{M}*`, 'su')

/** Words of these scripts follow each other without spaces, and dictionaries of ICU separate them. */
const UNSPACED = /[\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/u
const KANA = /[\p{sc=Hiragana}\p{sc=Katakana}]/gu
const IDEOGRAPHS = new RegExp(`[${IDEOGRAPH}]`, 'gu')
/** A text is Japanese when at least this share of its kana and ideographs are kana; Chinese quotes few. */
const JAPANESE_SHARE = 0.1

/**
 * The units of a text in their order: words by spaces, and each ideograph. Japanese, Thai, Lao, Khmer and Burmese words are
 * found by `Intl.Segmenter`; Korean ones by spaces. Japanese units are not always those of the reference, which uses nagisa.
 * Parts of punctuation alone are not units.
 * @param language its English name; by default Japanese is known by its kana
 */
export function unitsOf(text: string, language?: string): Unit[] {
  const isJapanese = language === undefined ? looksJapanese(text) : language === 'Japanese'
  if (isJapanese) return segmented(text, 0, 'ja').flatMap(trimmed)
  const runs = [...text.matchAll(language === 'Korean' ? RUN : IDEOGRAPH_OR_RUN)]
  return runs
    .flatMap(({ 0: run, index }) => (UNSPACED.test(run) ? segmented(run, index, 'th') : [{ run, index }]))
    .flatMap(trimmed)
}

interface Run {
  readonly run: string
  readonly index: number
}

function segmented(text: string, offset: number, locale: string): Run[] {
  const segmenter = new Intl.Segmenter(locale, { granularity: 'word' })
  return [...segmenter.segment(text)].map(({ segment, index }) => ({ run: segment, index: offset + index }))
}

/** Composed first, so that an accent that is a character of its own is not lost: the reference drops it. */
function trimmed({ run, index }: Run): Unit[] {
  const found = KEPT.exec(run)
  if (!found) return []
  const start = index + found.index
  const spoken = found[0].normalize('NFC').replace(DROPPED, '')
  return [{ spoken, start, end: start + found[0].length }]
}

function looksJapanese(text: string): boolean {
  const kana = text.match(KANA)?.length ?? 0
  return kana > 0 && kana >= JAPANESE_SHARE * (kana + (text.match(IDEOGRAPHS)?.length ?? 0))
}

/**
 * Each unit as it is written: with the punctuation that stands at it, a dash between spaces at the word before. Line breaks
 * and tabs are spaces.
 * @param units of the text, in their order
 */
export function writtenUnits(text: string, units: readonly Unit[]): string[] {
  const borders = units.slice(1).map((unit, i) => {
    const before = units[i]?.end ?? 0
    return before + borderIn(text.slice(before, unit.start))
  })
  return units.map((_, i) => {
    const written = text.slice(borders[i - 1] ?? 0, borders[i] ?? text.length)
    return written.trim().replace(/\s+/g, ' ')
  })
}

/** How much of what stands between two units belongs to the first. */
function borderIn(between: string): number {
  const opening = /\s/.test(between) ? /\S*$/ : /[\p{Ps}\p{Pi}¿¡]*$/u
  return opening.exec(between)?.index ?? between.length
}

/** Scripts that languages are written in, where one name stands for several. */
const SEVERAL: Readonly<Record<string, readonly string[]>> = {
  Hans: ['Han'],
  Hant: ['Han'],
  Jpan: ['Han', 'Hiragana', 'Katakana'],
  Kore: ['Hangul', 'Han'],
}

/**
 * Check that an aligner supports a language.
 * @param name in English
 * @param known English names of the languages that it supports
 * @throws SpeechError when it is not among them, with all of them
 */
export function requireLanguage(name: string, known: readonly string[]): void {
  if (known.includes(name)) return
  throw new SpeechError(`The aligner does not support ${name}.`, `It supports ${known.join(', ')}.`)
}

/**
 * The letters of a text that no language is written in, where they are the most of it.
 * @param codes ISO codes of languages
 */
export function foreignLetters(text: string, codes: readonly string[]): string | undefined {
  const scripts = codes.flatMap((code) => {
    const script = new Intl.Locale(code).maximize().script ?? 'Latn'
    return SEVERAL[script] ?? [script]
  })
  const known = new RegExp(`[${[...new Set(scripts)].map((script) => `\\p{scx=${script}}`).join('')}]`, 'u')
  const letters = text.match(/\p{L}/gu) ?? []
  const foreign = letters.filter((letter) => !known.test(letter))
  return foreign.length > letters.length / 2 ? [...new Set(foreign)].slice(0, 5).join('') : undefined
}
