// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { bootstrapInterval, meanInterval, pairedDifference, pairedRatio } from '../../eval/bootstrap.ts'
import { normalizedCharacters } from '../../eval/normalize/normalizers.ts'
import { seededRandom } from '../../eval/random.ts'
import {
  addErrors,
  alignWords,
  countErrors,
  editDistance,
  NO_ERRORS,
  totalErrors,
  wordErrorRate,
} from '../../eval/wer.ts'
import { askReferee } from '../helpers/referee.ts'

const words = (text: string) => text.split(' ').filter((word) => word !== '')
const align = (reference: string, hypothesis: string) => alignWords(words(reference), words(hypothesis))

describe('alignWords', () => {
  it.each([
    ['a b c', 'a b c', 'hhh'],
    ['a b c', 'a x c d', 'hshi'],
    ['a b c', '', 'ddd'],
    ['', 'a b', 'ii'],
    ['a b c d', 'b c d', 'dhhh'],
    ['a b', 'b a', 'ihd'],
  ])('aligns %j with %j', (reference, hypothesis, wanted) => {
    expect(align(reference, hypothesis).join('')).toBe(wanted)
  })

  it('counts what jiwer counts on 2,000 random pairs, each kind of error by itself, and characters too', async () => {
    const random = seededRandom(7)
    const below = (end: number) => Math.floor(random() * end)
    const text = (length: number, alphabet: number) =>
      Array.from({ length }, () => ['ab', 'c', 'déf', 'ü', 'ghij', 'k'][below(alphabet)]).join(' ')
    const noisy = (line: string) =>
      words(line)
        .flatMap((word) => [[word], [word], [word], [], ['zz'], [word, 'c']][below(6)] ?? [])
        .join(' ')
    const pairs = Array.from({ length: 2000 }, (_, i) => {
      const reference = text(1 + below(i % 40 === 0 ? 150 : 14), 2 + below(5))
      return [reference, i % 2 === 0 ? noisy(reference) : text(below(14), 2 + below(5))] as const
    })
    const wanted = await askReferee<number[][]>('word_errors', pairs)
    const found = pairs.map(([reference, hypothesis]) => {
      const { hits, substitutions, deletions, insertions } = countErrors(align(reference, hypothesis))
      const characters = [reference, hypothesis].map((side) => normalizedCharacters(words(side)))
      const distance = editDistance(characters[0] ?? [], characters[1] ?? [])
      return [hits, substitutions, deletions, insertions, distance]
    })
    expect(found).toEqual(wanted)
  })

  it.each([
    ['今天 天气 很 好', '今天天气很好'],
    ['私は 学生 です', '私は学生です'],
    ['スーパー マーケット', 'スーパーマーケット'],
    ['วันนี้ อากาศ ดี', 'วันนี้อากาศดี'],
    ['ဒီနေ့ ရာသီဥတု', 'ဒီနေ့ရာသီဥတု'],
    ['ថ្ងៃនេះ អាកាសធាតុ', 'ថ្ងៃនេះអាកាសធាតុ'],
    ['𠮷 野家', '𠮷野家'],
    ['我用 iPhone 手机', '我用iPhone手机'],
  ])('counts no space of %j, whose script has none', (spaced, joined) => {
    const [a, b] = [spaced, joined].map((text) => normalizedCharacters(words(text)))
    expect(a).toEqual(Array.from(joined))
    expect(editDistance(a ?? [], b ?? [])).toBe(0)
  })

  it('counts spaces where they part words', () => {
    for (const text of ['안녕하세요 반갑습니다', 'ab c', 'नमस्ते दुनिया', 'iPhone XR 手机'])
      expect(normalizedCharacters(words(text))).toEqual(Array.from(text.replace(' 手', '手')))
  })

  it('sums a corpus before dividing', () => {
    const total = [align('a b c d', 'a b c d'), align('e', 'f')].map(countErrors).reduce(addErrors, NO_ERRORS)
    expect(total).toEqual({ hits: 4, substitutions: 1, deletions: 0, insertions: 0, words: 5 })
    expect([totalErrors(total), wordErrorRate(total)]).toEqual([1, 0.2])
  })

  it('counts insertions in silence as jiwer does: without words of references the rate is their number', async () => {
    const pairs = [
      ['', ''],
      ['', 'a b c'],
      ['a', ''],
    ] as const
    const rates = pairs.map(([reference, hypothesis]) =>
      wordErrorRate(countErrors(align(reference, hypothesis))),
    )
    expect(rates).toEqual([0, 3, 1])
    expect(rates).toEqual(await askReferee('word_error_rates', pairs))
  })
})

describe('bootstrap', () => {
  const random = seededRandom(3)
  const corpus = (rate: number, utterances: number) =>
    Array.from({ length: utterances }, () => ({
      length: 20,
      errors: Array.from({ length: 20 }, () => (random() < rate ? 1 : 0)).reduce<number>((a, b) => a + b, 0),
    }))

  it('has the width that the binomial distribution gives', () => {
    const { low, high } = bootstrapInterval(corpus(0.1, 500))
    const standardError = Math.sqrt((0.1 * 0.9) / 10_000)
    expect((high - low) / (2 * 1.96 * standardError)).toBeGreaterThan(0.85)
    expect((high - low) / (2 * 1.96 * standardError)).toBeLessThan(1.15)
  })

  it('holds the true rate in about 95 of 100 corpora', () => {
    const held = Array.from({ length: 100 }, () => bootstrapInterval(corpus(0.1, 60))).filter(
      ({ low, high }) => low <= 0.1 && 0.1 <= high,
    )
    expect(held.length).toBeGreaterThanOrEqual(88)
    expect(held.length).toBeLessThan(100)
  })

  it('finds a difference that is the same in most utterances, which the two intervals alone do not', () => {
    const first = corpus(0.1, 200)
    const second = first.map(({ errors, length }, i) => ({ length, errors: errors + (i % 8 === 0 ? 1 : 0) }))
    const [a, b] = [bootstrapInterval(first), bootstrapInterval(second)]
    expect(a.high).toBeGreaterThan(b.low) // they overlap
    const difference = pairedDifference(first, second)
    expect(difference.difference).toBeCloseTo(25 / 4000, 12)
    expect(difference).toMatchObject({ distinct: true, higher: 1 })
    expect(pairedDifference(first, [...first].reverse()).distinct).toBe(false)
    expect(pairedDifference(first, first)).toMatchObject({ low: 0, high: 0, higher: 0.5, distinct: false })
  })

  it('gives a mean the width of its standard error, with the values of an utterance drawn together', () => {
    const uniform = Array.from({ length: 400 }, random)
    const { low, high } = meanInterval(uniform.map((sum) => ({ sum, count: 1 })))
    expect((high - low) / (2 * 1.96 * Math.sqrt(1 / 12 / 400))).toBeGreaterThan(0.9)
    expect((high - low) / (2 * 1.96 * Math.sqrt(1 / 12 / 400))).toBeLessThan(1.1)
    const whole = meanInterval(uniform.map((value) => ({ sum: 9 * value, count: 9 })))
    expect(whole.low).toBeCloseTo(low, 12) // 9 equal values tell no more than one
    expect(
      meanInterval([
        { sum: 0, count: 3 },
        { sum: 0, count: 2 },
      ]),
    ).toEqual({ low: 0, high: 0 })
    expect(meanInterval([{ sum: 1, count: 3 }])).toEqual({ low: Number.NaN, high: Number.NaN })
  })

  it('gives the ratio of two means on the same utterances, narrow where each has the same share of the other', () => {
    const first = Array.from({ length: 50 }, () => ({ sum: random(), count: 2 }))
    const third = first.map(({ sum, count }) => ({ sum: sum / 3, count }))
    const exact = pairedRatio(first, third)
    for (const value of Object.values(exact)) expect(value).toBeCloseTo(1 / 3, 12)
    const { ratio, low, high } = pairedRatio(first, [...third].reverse())
    expect(ratio).toBeCloseTo(1 / 3, 12)
    expect([low < 0.32, high > 0.35]).toEqual([true, true])
    expect(pairedRatio([{ sum: 2, count: 1 }], [{ sum: 1, count: 1 }])).toEqual({
      ...{ ratio: 0.5, low: Number.NaN, high: Number.NaN },
    })
    expect(() => pairedRatio(first, third.slice(1))).toThrow('same utterances: 50 and 49')
  })

  it('does not take no error for certainty', () => {
    const clean = Array.from({ length: 30 }, () => ({ errors: 0, length: 10 }))
    expect(bootstrapInterval(clean)).toEqual({ low: 0, high: 0.01 })
    expect(bootstrapInterval([{ errors: 0, length: 1 }])).toEqual({ low: 0, high: 1 })
  })

  it('is the same every time, and says nothing about nothing', () => {
    const samples = corpus(0.2, 30)
    expect(bootstrapInterval(samples)).toEqual(bootstrapInterval(samples))
    const none = { low: Number.NaN, high: Number.NaN }
    expect(bootstrapInterval([])).toEqual(none)
    const [one, other] = [
      { errors: 1, length: 10 },
      { errors: 5, length: 10 },
    ]
    expect(bootstrapInterval([one])).toEqual(none)
    expect(pairedDifference([one], [other])).toMatchObject({ ...none, difference: 0.4, distinct: false })
    expect(() => pairedDifference(samples, samples.slice(1))).toThrow('same utterances: 30 and 29')
  })
})
