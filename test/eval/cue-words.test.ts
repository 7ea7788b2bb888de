// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { type Cue, cuesOf, srt, type TimedText, vtt } from '../../eval/cues.ts'
import type { TimedWord } from '../../eval/runtime/timed-word.ts'
import { inOrder, placeWords } from '../../eval/word-places.ts'
import { seededRandom } from '../helpers/random.ts'

/** One behind the other from `at` on: each takes 0.25 s, and 0.05 s of silence follow it. */
function said(words: readonly string[], at: number): TimedWord[] {
  return words.map((text, i) => ({ text, start: at + 0.3 * i, end: at + 0.3 * i + 0.25 }))
}

const TEXT = 'Yes, that was <b>. Where & "when" was it?'
const WORDS = [...said(TEXT.split(' ').slice(0, 4), 10.5), ...said(TEXT.split(' ').slice(4), 14)]
const EXAMPLE: TimedText = { start: 9, end: 20, text: TEXT, words: WORDS }

interface Block {
  readonly start: number
  readonly end: number
  readonly lines: readonly string[]
}

/** SubRip or WebVTT, read back: times in milliseconds. */
function read(file: string): Block[] {
  const ms = (time: string) => {
    const [, h, m, s, rest] = /^(\d{2,}):(\d\d):(\d\d)[.,](\d{3})$/.exec(time) ?? []
    return ((Number(h) * 60 + Number(m)) * 60 + Number(s)) * 1000 + Number(rest)
  }
  return file
    .trimEnd()
    .split('\n\n')
    .filter((block) => block !== 'WEBVTT' && block !== '')
    .map((block) => {
      const [times = '', ...lines] = block.replace(/^\d+\n/, '').split('\n')
      const [start = '', end = ''] = times.split(' --> ')
      return { start: ms(start), end: ms(end), lines }
    })
}

function requireValid(cues: readonly Cue[], texts: readonly TimedText[]): void {
  const letters = (text: string) => text.replace(/\s/g, '')
  expect(letters(cues.map(({ text }) => text).join(''))).toBe(letters(texts.map(({ text }) => text).join('')))
  const written = read(vtt(cues))
  expect(written).toHaveLength(cues.length)
  expect(read(srt(cues)).map(({ start, end }) => [start, end])).toEqual(
    written.map(({ start, end }) => [start, end]),
  )
  let last = 0
  for (const { start, end, lines } of written) {
    expect(start).toBeGreaterThanOrEqual(last)
    expect(end).toBeGreaterThan(start)
    expect(end - start).toBeLessThanOrEqual(7000)
    expect(lines.length).toBeLessThanOrEqual(2)
    last = end
  }
  for (const { start, end, lines } of read(vtt(cues, { marksWords: true }))) {
    const times = read(
      [...lines.join(' ').matchAll(/<(\d{2,}:\d\d:\d\d\.\d{3})>/g)]
        .map(([, t]) => `${t} --> ${t}`)
        .join('\n\n'),
    ).map((mark) => mark.start)
    expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
    for (const time of times) {
      expect(time).toBeGreaterThan(start)
      expect(time).toBeLessThan(end)
    }
    expect(lines.join('').replace(/<\d{2,}:\d\d:\d\d\.\d{3}>|&(amp|lt|gt);/g, '')).not.toMatch(/[<>]/)
  }
}

describe('subtitles of words with times', () => {
  it('begin with their first word and end with their last one', () => {
    expect(srt(cuesOf([EXAMPLE]))).toBe(
      '1\n00:00:10,500 --> 00:00:11,650\nYes, that was <b>.\n\n2\n00:00:14,000 --> 00:00:15,450\nWhere & "when" was it?\n',
    )
    expect(vtt(cuesOf([EXAMPLE]))).toBe(
      'WEBVTT\n\n00:00:10.500 --> 00:00:11.650\nYes, that was &lt;b&gt;.\n\n00:00:14.000 --> 00:00:15.450\nWhere &amp; "when" was it?\n',
    )
  })

  it('have the time of each word but the first, where that is asked for', () => {
    expect(vtt(cuesOf([EXAMPLE]), { marksWords: true })).toBe(
      `WEBVTT

00:00:10.500 --> 00:00:11.650
Yes, <00:00:10.800>that <00:00:11.100>was <00:00:11.400>&lt;b&gt;.

00:00:14.000 --> 00:00:15.450
Where <00:00:14.300>&amp; <00:00:14.600>"when" <00:00:14.900>was <00:00:15.200>it?
`,
    )
    const twoLines = 'Nobody knew what the people of the town would do about it.'
    expect(
      vtt(cuesOf([{ start: 0, end: 9, text: twoLines, words: said(twoLines.split(' '), 1) }]), {
        marksWords: true,
      }),
    ).toBe(
      `WEBVTT

00:00:01.000 --> 00:00:04.550
Nobody <00:00:01.300>knew <00:00:01.600>what <00:00:01.900>the <00:00:02.200>people
<00:00:02.500>of <00:00:02.800>the <00:00:03.100>town <00:00:03.400>would <00:00:03.700>do <00:00:04.000>about <00:00:04.300>it.
`,
    )
  })

  it('are as those without where no word has a time', () => {
    const bare = { start: 9, end: 20, text: TEXT }
    const others = [{ text: 'nothing', start: 1, end: 2 }]
    const broken = WORDS.map((word) => ({ ...word, start: Number.NaN }))
    for (const words of [[], others, broken]) expect(cuesOf([{ ...bare, words }])).toEqual(cuesOf([bare]))
    expect(vtt(cuesOf([bare]), { marksWords: true })).toBe(vtt(cuesOf([bare])))
  })

  it.each([
    [
      'Chinese, by letter',
      '今天天气很好，我们去公园散步。',
      [...'今天天气很好，我们去公园散步。'],
      ['今天天气很好，我们去公园散步。'],
    ],
    [
      'Japanese, by token',
      '東京タワーは東京都港区芝公園にある電波塔ですよ。',
      ['東京', 'タワー', 'は', '東京都', '港区', '芝公園', 'に', 'ある', '電波塔', 'です', 'よ。'],
      ['東京タワーは東京都港区\n芝公園にある電波塔ですよ。'],
    ],
    [
      'Thai, by token',
      'วันนี้อากาศดีมากเราจะไปเดินเล่นที่สวน',
      ['วันนี้', 'อากาศ', 'ดี', 'มาก', 'เรา', 'จะ', 'ไป', 'เดินเล่น', 'ที่', 'สวน'],
      ['วันนี้อากาศดีมากเราจะไปเดินเล่นที่สวน'],
    ],
    [
      'Chinese and English',
      '用OpenAI的 GPT-4 模型。',
      ['用', 'OpenAI', '的', ' GPT-4', '模型。'],
      ['用OpenAI的 GPT-4 模型。'],
    ],
  ])('of %s have no spaces put in', (_, text, words, wanted) => {
    const cues = cuesOf([{ start: 0, end: 20, text, words: said(words, 3) }])
    expect(cues.map((cue) => cue.text)).toEqual(wanted)
    expect(cues[0]?.start).toBe(3)
    expect(cues.at(-1)?.end).toBeCloseTo(3 + 0.3 * words.length - 0.05, 9)
    expect(vtt(cues, { marksWords: true }).match(/<\d/g)).toHaveLength(words.length - 1)
    requireValid(cues, [{ start: 0, end: 20, text }])
  })

  it('find words whose marks stand by themselves or are not among them', () => {
    const text = '¿Qué es “esto”, Señor? Nada: nada más.'
    const bare = said(['Qué', 'es', 'esto', 'Señor', 'Nada', 'nada', 'más'], 5)
    const [first, second] = cuesOf([{ start: 0, end: 20, text, words: bare }])
    expect(first).toMatchObject({ start: 5, end: 7.05, text })
    expect(second).toBe(undefined)
    expect(vtt(cuesOf([{ start: 0, end: 20, text, words: bare }]), { marksWords: true })).toContain(
      '¿Qué <00:00:05.300>es “<00:00:05.600>esto”, <00:00:05.900>Señor? <00:00:06.200>Nada: <00:00:06.500>nada <00:00:06.800>más.',
    )
    const apart = said(
      ['¿', 'Qué', ' es', ' “', 'esto', '”', ',', 'Señor', '?', 'Nada', ':', 'nada', 'más', '.'],
      5,
    )
    expect(cuesOf([{ start: 0, end: 20, text, words: apart }])[0]).toMatchObject({ start: 5, text })
  })

  it('share out between its neighbours what has no word', () => {
    const text = 'One two three four five six. Seven eight nine ten.'
    const words = [{ text: 'two', start: 2, end: 2.5 }, ...said(['ten.'], 9)]
    const cues = cuesOf([{ start: 1, end: 12, text, words }])
    expect(cues.map((cue) => cue.text)).toEqual(['One two three four five six.', 'Seven eight nine ten.'])
    expect(cues[0]?.start).toBe(1) // where the text begins
    expect(cues[1]?.end).toBe(9.25)
    expect(cues[1]?.start).toBeCloseTo(2.5 + (6.5 * 17) / 31, 3)
    expect(cues[0]?.end).toBe(cues[1]?.start)
  })

  it('do not last over a long silence, and are as long as can be read where there is room', () => {
    const words = (gap: number) => [
      { text: 'Yes', start: 1, end: 1.2 },
      { text: 'no', start: 1.2 + gap, end: 1.3 + gap },
    ]
    const cut = (gap: number) =>
      cuesOf([{ start: 0, end: 9, text: 'Yes no', words: words(gap) }]).map(({ start, end, text }) => [
        start,
        end,
        text,
      ])
    expect(cut(1.9)).toEqual([[1, 3.2, 'Yes no']])
    expect(cut(2)).toEqual([
      [1, 2, 'Yes'],
      [3.2, 4.2, 'no'],
    ])
    const sentences = [
      { text: 'Yes.', start: 1, end: 1.2 },
      { text: 'No.', start: 2.2, end: 2.3 },
    ]
    expect(
      cuesOf([{ start: 0, end: 9, text: 'Yes. No.', words: sentences }]).map(({ text }) => text),
    ).toEqual(['Yes.', 'No.'])
    const slow = cuesOf([{ start: 0, end: 30, text: 'Slow', words: [{ text: 'Slow', start: 2, end: 22 }] }])
    expect(slow.map(({ start, end }) => [start, end])).toEqual([[2, 9]])
  })

  it('of one text end before the next begins', () => {
    const texts = [
      { start: 0, end: 2, text: 'Yes.', words: [{ text: 'Yes.', start: 1, end: 1.2 }] },
      { start: 1.9, end: 4, text: 'No.', words: [{ text: 'No.', start: 1.7, end: 2 }] },
      { start: 2.5, end: 4, text: 'So.' },
      { start: 3, end: 4, text: ' ' },
      { start: 3, end: 4, text: 'End.', words: [{ text: 'End.', start: 3.25, end: 3.5 }] },
    ]
    expect(cuesOf(texts).map(({ start, end }) => [start, end])).toEqual([
      [1, 1.7],
      [1.7, 2.5],
      [2.5, 4],
      [4, 5],
    ])
  })

  it.each([
    ['overlap', (word: TimedWord) => ({ ...word, end: word.end + 3 })],
    ['have no length', (word: TimedWord) => ({ ...word, end: word.start })],
    ['end before they begin', (word: TimedWord) => ({ ...word, end: word.start - 1 })],
    ['are all said at once', (word: TimedWord) => ({ ...word, start: 5, end: 5 })],
    ['are in reverse order', (word: TimedWord) => ({ ...word, start: 60 - word.start, end: 60 - word.end })],
    [
      'begin before the recording',
      (word: TimedWord) => ({ ...word, start: word.start - 8, end: word.end - 8 }),
    ],
    ['are all but out of the recording', (word: TimedWord) => ({ ...word, start: 1e8, end: 1e8 })],
    ['are not numbers', (word: TimedWord) => ({ ...word, end: Number.NaN })],
    ['are of another text', (word: TimedWord) => ({ ...word, text: `${word.text}x` })],
    ['are empty', (word: TimedWord) => ({ ...word, text: ' ' })],
  ])('are valid where words %s', (_, change) => {
    const text = Array.from({ length: 60 }, (_, i) => `word${i}${i % 9 === 8 ? '.' : ''}`).join(' ')
    const words = said(text.split(' '), 1)
    const random = seededRandom(5)
    for (const share of [1, 2, 5]) {
      const changed = words.map((word) => (random(share) === 0 ? change(word) : word))
      const texts = [0, 30].map((start) => ({ start, end: start + 30, text, words: changed }))
      requireValid(cuesOf(texts), texts)
    }
  })

  it('are valid whatever the times are', () => {
    const random = seededRandom(8)
    const pieces = ['word', '今天', '<i>', '。', 'a-b', ' ', '"', 'ไป', '&', '👩‍👩‍👧‍👦', 'x'.repeat(50)]
    for (let i = 0; i < 200; i++) {
      const of = Array.from({ length: 1 + random(40) }, () => pieces[random(pieces.length)] as string)
      const words = of.map(
        (text): TimedWord => ({ text, start: random(9000) / 300, end: random(9000) / 300 }),
      )
      const texts = [0, 10, 11].map((start) => ({
        start,
        end: start + random(20),
        text: of.join(['', ' '][random(2)]),
        words,
      }))
      requireValid(cuesOf(texts), texts)
    }
  })
})

describe('places of words', () => {
  it('are found by position, spaces and controls aside', () => {
    const words = [' Two', 'two\n', 'none', 'twofold', '今', '天'].map((text, i) => ({
      text,
      start: i,
      end: i + 1,
    }))
    expect(placeWords('Two  two\ttwo\u0001fold 今 天', words)).toEqual([
      { from: 0, to: 3, start: 0, end: 1 },
      { from: 5, to: 8, start: 1, end: 2 },
      { from: 9, to: 17, start: 3, end: 4 },
      { from: 18, to: 19, start: 4, end: 5 },
      { from: 20, to: 21, start: 5, end: 6 },
    ])
    expect(
      placeWords('𠮷野 𠮷', [
        { text: '𠮷', start: 0, end: 1 },
        { text: '𠮷', start: 2, end: 3 },
      ]),
    ).toEqual([
      { from: 0, to: 2, start: 0, end: 1 },
      { from: 4, to: 6, start: 2, end: 3 },
    ])
  })

  it('keep as many as follow one another in time', () => {
    const at = (start: number, end: number) => ({ from: 0, to: 1, start, end })
    expect(inOrder([at(1, 3), at(90, 91), at(2, 2), at(0, 1), at(2, 1), at(4, 5)])).toEqual([
      at(1, 2),
      at(2, 2),
      at(2, 2),
      at(4, 5),
    ])
    expect(inOrder([])).toEqual([])
  })
})
