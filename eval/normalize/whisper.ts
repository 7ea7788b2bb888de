// SPDX-License-Identifier: Apache-2.0

import { spellNumbersAsDigits } from './numbers.ts'
import { joinSpaces, pythonPattern } from './python-text.ts'
import { americanSpelling } from './spelling.ts'

/*
 * The text standardisation of the Whisper paper (https://arxiv.org/abs/2212.04356, appendix C), as its authors
 * published it (github.com/openai/whisper, whisper/normalizers). Results are equal to the Python package's, oddities
 * included, since figures are compared with others' figures.
 */

/** `whisper-basic`: any language; symbols, punctuation and marks become spaces. */
export function whisperBasic(text: string): string {
  const symbols = /[\p{M}\p{S}\p{P}]/gu
  return joinSpaces(withoutBrackets(text.toLowerCase()).normalize('NFKC').replace(symbols, ' ').toLowerCase())
}

/** `whisper-english`: contractions, titles, numbers, currencies and British spelling in one form. */
export function whisperEnglish(text: string): string {
  let out = withoutBrackets(text.toLowerCase()).replace(FILLERS, '').replace(SPACE_BEFORE_APOSTROPHE, "'")
  for (const [pattern, replacement] of REPLACEMENTS) out = out.replace(pattern, replacement)
  out = out.replace(/(\p{Nd}),(\p{Nd})/gu, '$1$2').replace(/\.([^0-9]|$)/gu, ' $1')
  out = americanSpelling(spellNumbersAsDigits(plainLetters(out)))
  // What is left of the signs that belong to numbers goes when it does not stand at one.
  return joinSpaces(out.replace(/[.$¢€£]([^0-9])/gu, ' $1').replace(/([^0-9])%/gu, '$1 '))
}

function withoutBrackets(text: string): string {
  return text.replace(/[<[][^>\]]*[>\]]/g, '').replace(/\([^)]+?\)/g, '')
}

const FILLERS = pythonPattern('\\b(hmm|mm|mhm|mmm|uh|um)\\b')
const SPACE_BEFORE_APOSTROPHE = pythonPattern("\\s+'")

const CONTRACTIONS: Readonly<Record<string, string>> = {
  "won't": 'will not',
  "can't": 'can not',
  "let's": 'let us',
  "ain't": 'aint',
  "y'all": 'you all',
  wanna: 'want to',
  kinda: 'kind of',
  sorta: 'sort of',
  dunno: 'do not know',
  gotta: 'got to',
  gonna: 'going to',
  "i'ma": 'i am going to',
  imma: 'i am going to',
  woulda: 'would have',
  coulda: 'could have',
  shoulda: 'should have',
  cause: 'because',
  "ma'am": 'madam',
}

const TITLES: Readonly<Record<string, string>> = {
  mr: 'mister',
  mrs: 'missus',
  st: 'saint',
  dr: 'doctor',
  prof: 'professor',
  capt: 'captain',
  gov: 'governor',
  ald: 'alderman',
  gen: 'general',
  sen: 'senator',
  rep: 'representative',
  pres: 'president',
  rev: 'reverend',
  hon: 'honorable',
  asst: 'assistant',
  assoc: 'associate',
  lt: 'lieutenant',
  col: 'colonel',
  jr: 'junior',
  sr: 'senior',
  esq: 'esquire',
}

/** In this order: the longer ones first. */
const ENDINGS: Readonly<Record<string, string>> = {
  "'d been": ' had been',
  "'s been": ' has been',
  "'d gone": ' had gone',
  "'s gone": ' has gone',
  "'d done": ' had done',
  "'s got": ' has got',
  "n't": ' not',
  "'re": ' are',
  "'s": ' is',
  "'d": ' would',
  "'ll": ' will',
  "'t": ' not',
  "'ve": ' have',
  "'m": ' am',
}

const REPLACEMENTS: readonly (readonly [RegExp, string])[] = [
  ...Object.entries(CONTRACTIONS).map(([from, to]) => [pythonPattern(`\\b${from}\\b`), to] as const),
  ...Object.entries(TITLES).map(([from, to]) => [pythonPattern(`\\b${from}\\b`), `${to} `] as const),
  ...Object.entries(ENDINGS).map(([from, to]) => [pythonPattern(`${from}\\b`), to] as const),
]

/** Letters that do not come apart into a letter and a mark. */
const LIGATURES: Readonly<Record<string, string>> = {
  œ: 'oe',
  Œ: 'OE',
  ø: 'o',
  Ø: 'O',
  æ: 'ae',
  Æ: 'AE',
  ß: 'ss',
  ẞ: 'SS',
  đ: 'd',
  Đ: 'D',
  ð: 'd',
  Ð: 'D',
  þ: 'th',
  Þ: 'th',
  ł: 'l',
  Ł: 'L',
}

/** No diacritics; symbols and punctuation become spaces, except those of numbers. */
function plainLetters(text: string): string {
  return Array.from(text.normalize('NFKD'), (letter) => {
    if ('.%$¢€£'.includes(letter)) return letter
    const plain = LIGATURES[letter]
    if (plain !== undefined) return plain
    if (/\p{Mn}/u.test(letter)) return ''
    return /[\p{M}\p{S}\p{P}]/u.test(letter) ? ' ' : letter
  }).join('')
}
