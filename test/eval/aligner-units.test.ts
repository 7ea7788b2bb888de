// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { foreignLetters, unitsOf, writtenUnits } from '../../eval/runtime/aligner/units.ts'

const spoken = (text: string, language?: string) => unitsOf(text, language).map((unit) => unit.spoken)
const written = (text: string, language?: string) => writtenUnits(text, unitsOf(text, language))

describe('units of a text', () => {
  it.each<[string, string, string[], string[], string?]>([
    ['nothing', '  \n ', [], []],
    ['punctuation alone', ' ... —¡!「」… ', [], []],
    ['words', 'One two', ['One', 'two'], ['One', 'two']],
    [
      'punctuation at words',
      '“Hello,” (she) said!',
      ['Hello', 'she', 'said'],
      ['“Hello,”', '(she)', 'said!'],
    ],
    ['a dash between spaces', 'Yes — no - maybe', ['Yes', 'no', 'maybe'], ['Yes —', 'no -', 'maybe']],
    ['punctuation before the first word', '… ¿Qué?', ['Qué'], ['… ¿Qué?']],
    [
      'apostrophes',
      "don't l’été rock'n'roll",
      ["don't", 'lété', "rock'n'roll"],
      ["don't", 'l’été', "rock'n'roll"],
    ],
    [
      'numbers',
      '3.5 % of £2,000 at 10:30',
      ['35', 'of', '2000', 'at', '1030'],
      ['3.5 %', 'of', '£2,000', 'at', '10:30'],
    ],
    ['hyphens and dots', 'well-known U.S.A.', ['wellknown', 'USA'], ['well-known', 'U.S.A.']],
    ['other numerals', 'Ⅷ ½ ٣', ['Ⅷ', '½', '٣'], ['Ⅷ', '½', '٣']],
    ['Chinese', '你好，世界。', ['你', '好', '世', '界'], ['你', '好，', '世', '界。'], 'Chinese'],
    [
      'brackets in Chinese',
      '他说「好」吧',
      ['他', '说', '好', '吧'],
      ['他', '说', '「好」', '吧'],
      'Chinese',
    ],
    [
      'ideographs between letters',
      '用iPhone15拍照',
      ['用', 'iPhone15', '拍', '照'],
      ['用', 'iPhone15', '拍', '照'],
    ],
    ['ideographs beyond the first plane', '𠮷野a', ['𠮷', '野', 'a'], ['𠮷', '野', 'a']],
    ['mixed scripts', 'Сегодня 天气 good', ['Сегодня', '天', '气', 'good'], ['Сегодня', '天', '气', 'good']],
    ['Hebrew and Arabic', 'שלום, עולם! مرحبا؟', ['שלום', 'עולם', 'مرحبا'], ['שלום,', 'עולם!', 'مرحبا؟']],
    [
      'Japanese by kana',
      '今日は天気がいいですね。',
      ['今日', 'は', '天気', 'が', 'いい', 'です', 'ね'],
      ['今日', 'は', '天気', 'が', 'いい', 'です', 'ね。'],
    ],
    ['Japanese by name', '東京都、大阪', ['東京', '都', '大阪'], ['東京', '都、', '大阪'], 'Japanese'],
    [
      'the same as Chinese',
      '東京都、大阪',
      ['東', '京', '都', '大', '阪'],
      ['東', '京', '都、', '大', '阪'],
      'Chinese',
    ],
    [
      'Chinese with one kana',
      '我们在优の良品商店买了很多东西',
      [...'我们在优', 'の', ...'良品商店买了很多东西'],
      [...'我们在优', 'の', ...'良品商店买了很多东西'],
    ],
    [
      'Korean',
      '안녕하세요, 大韓民國입니다.',
      ['안녕하세요', '大韓民國입니다'],
      ['안녕하세요,', '大韓民國입니다.'],
      'Korean',
    ],
    ['combining accents', 'cafe\u0301 e\u0301te\u0301', ['café', 'été'], ['cafe\u0301', 'e\u0301te\u0301']],
    ['spaces of other kinds', 'a\u00a0b\u3000c\u2028d', ['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'd']],
    ['an invisible space that is none', 'a\u200bb', ['ab'], ['a\u200bb']],
    ['emoji', 'hi 👍🏽 there', ['hi', 'there'], ['hi 👍🏽', 'there']],
  ])('%s', (_, text, wanted, asWritten, language) => {
    expect(spoken(text, language)).toEqual(wanted)
    expect(written(text, language)).toEqual(asWritten)
  })

  it('Thai has words without spaces', () => {
    expect(spoken('วนนมา').length).toBeGreaterThan(1)
    expect(written('สวัสดีครับ').join('')).toBe('สวัสดีครับ')
  })

  it('lose nothing of the text but spaces', () => {
    const text = ' «One», two — 三四，(five)! «»… six '
    expect(written(text).join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''))
  })
})

describe('letters of other languages', () => {
  const codes = ['en', 'ru', 'zh', 'ja', 'ko']
  it.each([
    ['English', 'A word', undefined],
    ['all that are known', 'A слово 字 かな カナー 한글', undefined],
    ['a foreign word', 'He said שלום twice', undefined],
    ['numbers alone', '123 !', undefined],
    ['Arabic', 'مرحبا', 'مرحبا'],
    ['Thai with a Latin word', 'สวัสดีครับ ok', 'สวดคร'],
  ])('%s', (_, text, wanted) => {
    expect(foreignLetters(text, codes)).toBe(wanted)
  })
})
