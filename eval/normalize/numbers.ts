// SPDX-License-Identifier: Apache-2.0

import { pythonPattern, splitWords } from './python-text.ts'

/** What a word may mean in a spelled-out number. `suffix` is that of "seconds" or "tenth" (nd, th, s). */
type NumberWord =
  | { readonly kind: 'zero' }
  | { readonly kind: 'unit' | 'ten' | 'multiplier'; readonly value: bigint; readonly suffix: string }
  | { readonly kind: 'sign' | 'currency'; readonly symbol: string }
  | { readonly kind: 'repeat'; readonly times: number }
  | { readonly kind: 'per' | 'percent' }
  | { readonly kind: 'and' }
  | { readonly kind: 'point' }

const UNITS =
  'one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'
const TENS = 'twenty thirty forty fifty sixty seventy eighty ninety'
const THOUSANDS =
  'thousand million billion trillion quadrillion quintillion sextillion septillion octillion nonillion decillion'
const IRREGULAR: Readonly<Record<string, readonly [string, string]>> = {
  one: ['first', 'st'],
  two: ['second', 'nd'],
  three: ['third', 'rd'],
  five: ['fifth', 'th'],
  twelve: ['twelfth', 'th'],
}

const WORDS = new Map<string, NumberWord>([
  ...['o', 'oh', 'zero'].map((word) => [word, { kind: 'zero' }] as const),
  ['zeroth', { kind: 'unit', value: 0n, suffix: 'th' }],
  ...UNITS.split(' ').flatMap((word, i) => unitWords(word, BigInt(i + 1))),
  ...TENS.split(' ').flatMap((word, i) => tenWords(word, BigInt(20 + 10 * i))),
  ...['hundred', ...THOUSANDS.split(' ')].flatMap((word, i) =>
    multiplierWords(word, i === 0 ? 100n : 1000n ** BigInt(i)),
  ),
  ...Object.entries({ minus: '-', negative: '-', plus: '+', positive: '+' }).map(
    ([word, symbol]) => [word, { kind: 'sign', symbol }] as const,
  ),
  ...Object.entries({ pound: '£', euro: '€', dollar: '$', cent: '¢' }).flatMap(([word, symbol]) =>
    [word, `${word}s`].map((form) => [form, { kind: 'currency', symbol }] as const),
  ),
  ['per', { kind: 'per' }],
  ['percent', { kind: 'percent' }],
  ['and', { kind: 'and' }],
  ['point', { kind: 'point' }],
  ['double', { kind: 'repeat', times: 2 }],
  ['triple', { kind: 'repeat', times: 3 }],
])

function unitWords(word: string, value: bigint): [string, NumberWord][] {
  const [ordinal, ending] = IRREGULAR[word] ?? [`${word}${word.endsWith('t') ? 'h' : 'th'}`, 'th']
  return forms(word, 'unit', value, word === 'six' ? 'sixes' : `${word}s`, ordinal, ending)
}

function tenWords(word: string, value: bigint): [string, NumberWord][] {
  return forms(word, 'ten', value, word.replace('y', 'ies'), word.replace('y', 'ieth'), 'th')
}

function multiplierWords(word: string, value: bigint): [string, NumberWord][] {
  return forms(word, 'multiplier', value, `${word}s`, `${word}th`, 'th')
}

function forms(
  word: string,
  kind: 'unit' | 'ten' | 'multiplier',
  value: bigint,
  plural: string,
  ordinal: string,
  ending: string,
): [string, NumberWord][] {
  return [
    [word, { kind, value, suffix: '' }],
    [plural, { kind, value, suffix: 's' }],
    [ordinal, { kind, value, suffix: ending }],
  ]
}

/**
 * Write spelled-out numbers with digits: "twenty one" as 21, "one oh one" as 101, "twenty dollars and seven cents" as
 * $20.07. "one" and "ones" stay words.
 */
export function spellNumbersAsDigits(text: string): string {
  return combineCurrencies(new NumberReader().read(splitWords(separateDigits(text))).join(' '))
}

/** Reads words from left to right, holding back the number that is being spelled. */
class NumberReader {
  /** a bigint while it can still be added to, text when its digits are read out one by one */
  #number: bigint | string | undefined
  #prefix = ''
  readonly #out: string[] = []

  read(words: readonly string[]): string[] {
    for (let i = 0; i < words.length; i++) {
      if (this.#readWord(words[i] ?? '', words[i - 1], words[i + 1])) i++
    }
    this.#flush()
    return this.#out
  }

  /** @returns whether the next word has been read too */
  #readWord(word: string, previous: string | undefined, next: string | undefined): boolean {
    const digits = /^([-+£€$¢]?)(\p{Nd}+(?:\.\p{Nd}+)?)$/u.exec(word)
    if (digits) this.#readDigits(word, digits[1] ?? '', digits[2] ?? '')
    const meaning = digits ? undefined : WORDS.get(word)
    if (meaning) return this.#readNumberWord(word, meaning, previous, next)
    if (!digits) this.#say(word)
    return false
  }

  #readDigits(word: string, prefix: string, digits: string): void {
    if (typeof this.#number === 'string' && this.#number.endsWith('.')) {
      this.#number += word // decimals, or parts of an address
      return
    }
    this.#flush()
    if (prefix) this.#prefix = prefix
    const { numerator, isWhole } = parseDecimal(westernDigits(digits))
    this.#number = isWhole ? numerator : digits
  }

  #readNumberWord(
    word: string,
    meaning: NumberWord,
    previous: string | undefined,
    next: string | undefined,
  ): boolean {
    switch (meaning.kind) {
      case 'zero':
        this.#number = `${this.#digits()}0`
        return false
      case 'unit':
        this.#count(joinUnit(this.#number, meaning.value, cardinal(previous)), meaning.suffix)
        return false
      case 'ten':
        this.#count(joinRound(this.#number, meaning.value, 100n), meaning.suffix)
        return false
      case 'multiplier':
        this.#multiply(meaning.value, meaning.suffix)
        return false
      case 'sign':
        this.#flush()
        if (isNumeric(next)) this.#prefix = meaning.symbol
        else this.#say(word)
        return false
      case 'currency':
        if (this.#number === undefined) this.#say(word)
        else this.#flush(meaning.symbol)
        return false
      case 'percent':
        if (this.#number === undefined) this.#say(word)
        else this.#finish('%')
        return false
      case 'per':
        if (this.#number === undefined || next !== 'cent') this.#say(word)
        else return this.#finish('%')
        return false
      default:
        return this.#readSpecial(word, meaning, previous, next)
    }
  }

  /** Words that belong to a number only when one follows. */
  #readSpecial(
    word: string,
    meaning: Extract<NumberWord, { kind: 'and' } | { kind: 'point' } | { kind: 'repeat' }>,
    previous: string | undefined,
    next: string | undefined,
  ): boolean {
    const following = next === undefined ? undefined : WORDS.get(next)
    const digit = digitOf(following)
    if (!isNumeric(next)) this.#say(word)
    else if (meaning.kind === 'and') {
      if (cardinal(previous) !== 'multiplier') this.#say(word)
    } else if (meaning.kind === 'point') {
      if (DECIMALS.has(cardinal(next) ?? '') || !following) this.#number = `${this.#digits()}.`
    } else if (digit !== undefined) {
      this.#number = this.#digits() + digit.repeat(meaning.times)
      return true
    } else this.#say(word)
    return false
  }

  #multiply(multiplier: bigint, suffix: string): void {
    const number = this.#number
    if (typeof number === 'string') {
      const product = timesDecimal(number, multiplier)
      if (product === undefined) this.#flush()
      this.#count(product ?? multiplier, suffix)
    } else if (number === undefined) this.#count(multiplier, suffix)
    else this.#count((number / 1000n) * 1000n + (number % 1000n) * multiplier, suffix)
  }

  /** A cardinal may continue; an ordinal or plural is a number's end. */
  #count(number: bigint | string, suffix: string): void {
    this.#number = number
    if (suffix) this.#finish(suffix)
  }

  /** The number so far as text, a bare zero as none. */
  #digits(): string {
    return this.#number === undefined || this.#number === 0n ? '' : String(this.#number)
  }

  #finish(suffix: string): true {
    this.#out.push(`${this.#prefix}${this.#number}${suffix}`)
    this.#number = undefined
    this.#prefix = ''
    return true
  }

  #flush(symbol?: string): void {
    if (this.#number === undefined) return
    if (symbol !== undefined) this.#prefix = symbol
    this.#finish('')
  }

  #say(word: string): void {
    this.#flush()
    this.#out.push(this.#prefix + word)
    this.#prefix = ''
  }
}

const DECIMALS = new Set(['zero', 'unit', 'ten'])

/** What a word without suffix is, as a part of a number. */
function cardinal(word: string | undefined): NumberWord['kind'] | undefined {
  const meaning = word === undefined ? undefined : WORDS.get(word)
  return meaning && 'suffix' in meaning && meaning.suffix !== '' ? undefined : meaning?.kind
}

/** What "double" repeats: a zero or a number up to nineteen. */
function digitOf(meaning: NumberWord | undefined): string | undefined {
  if (meaning?.kind === 'zero') return '0'
  return meaning?.kind === 'unit' && meaning.suffix === '' ? String(meaning.value) : undefined
}

function isNumeric(word: string | undefined): boolean {
  return word !== undefined && (WORDS.has(word) || /^\p{Nd}+(\.\p{Nd}+)?$/u.test(word))
}

/** "twenty" + "one" is 21; "one" + "one" is 11; "nineteen" + "eighty" + "four" is 1984. */
function joinUnit(
  number: bigint | string | undefined,
  unit: bigint,
  previous: NumberWord['kind'] | undefined,
): bigint | string {
  if (typeof number === 'string' && previous === 'ten' && unit < 10n) return number.slice(0, -1) + unit
  if (typeof number === 'bigint' && previous === 'unit') return `${number}${unit}`
  return joinRound(number, unit, unit < 10n ? 10n : 100n)
}

/** Add to a number that ends in zeros, else write behind it. */
function joinRound(number: bigint | string | undefined, value: bigint, round: bigint): bigint | string {
  if (number === undefined) return value
  return typeof number === 'bigint' && number % round === 0n ? number + value : `${number}${value}`
}

/** numerator / denominator of "1", "1.5", ".5", "5."; nothing for "1.2.3". */
function parseDecimal(text: string): { numerator: bigint; denominator: bigint; isWhole: boolean } {
  const [whole = '', fraction = ''] = text.split('.')
  const denominator = 10n ** BigInt(fraction.length)
  const numerator = BigInt(whole + fraction || '0')
  const isWhole = numerator % denominator === 0n
  return isWhole
    ? { numerator: numerator / denominator, denominator: 1n, isWhole }
    : { numerator, denominator, isWhole }
}

function timesDecimal(text: string, multiplier: bigint): bigint | undefined {
  const digits = westernDigits(text)
  if (!/^(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(digits)) return undefined
  const { numerator, denominator } = parseDecimal(digits)
  const product = numerator * multiplier
  return product % denominator === 0n ? product / denominator : undefined
}

/** Every script's digits stand together in Unicode, from 0 to 9. */
function westernDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) ?? 0
    let zero = code
    while (/\p{Nd}/u.test(String.fromCodePoint(zero - 1))) zero--
    return String((code - zero) % 10)
  })
}

const AND_A_HALF = pythonPattern('\\band\\s+a\\s+half\\b')
const SPACE_BEFORE_SUFFIX = pythonPattern('([0-9])\\s+(st|nd|rd|th|s)\\b')

/** "two and a half" as "two point five"; a space between digits and letters, except "1960s" and "32nd". */
function separateDigits(text: string): string {
  const parts = text.split(AND_A_HALF)
  const halves = parts.flatMap((part, i) => {
    const last = splitWords(part).at(-1)
    if (last === undefined) return []
    if (i === parts.length - 1) return [part]
    const kind = cardinal(last)
    return [part, kind === 'multiplier' || DECIMALS.has(kind ?? '') ? 'point five' : 'and a half']
  })
  return halves
    .join(' ')
    .replace(/([a-z])([0-9])/g, '$1 $2')
    .replace(/([0-9])([a-z])/g, '$1 $2')
    .replace(SPACE_BEFORE_SUFFIX, '$1$2')
}

const DOLLARS_AND_CENTS = pythonPattern('([€£$])([0-9]+) (?:and )?¢([0-9]{1,2})\\b')
const ONLY_CENTS = pythonPattern('[€£$]0.([0-9]{1,2})\\b')
const ONE = pythonPattern('\\b1(s?)\\b')

function combineCurrencies(text: string): string {
  return text
    .replace(
      DOLLARS_AND_CENTS,
      (_, currency, whole, cents) => `${currency}${whole}.${cents.padStart(2, '0')}`,
    )
    .replace(ONLY_CENTS, (_, cents) => `¢${Number(cents)}`)
    .replace(ONE, 'one$1')
}
