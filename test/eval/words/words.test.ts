// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../../eval/random.ts'
import { monotonicPath } from '../../../eval/runtime/words/monotonic-path.ts'
import { pausesIn } from '../../../eval/runtime/words/pauses.ts'
import { tokenRanges } from '../../../eval/runtime/words/token-ranges.ts'
import { wordRanges } from '../../../eval/runtime/words/word-ranges.ts'
import { featureStart, timedWords } from '../../../eval/runtime/words/word-times.ts'

/** The least cost of all monotonic paths, by trying them all. */
function leastCost(costs: Float64Array, rows: number, columns: number, row = 0, column = 0): number {
  const here = costs[row * columns + column] as number
  if (row === rows - 1 && column === columns - 1) return here
  const ways: number[] = []
  for (const [down, right] of [
    [1, 1],
    [1, 0],
    [0, 1],
  ] as const)
    if (row + down < rows && column + right < columns)
      ways.push(leastCost(costs, rows, columns, row + down, column + right))
  return here + Math.min(...ways)
}

describe('the monotonic path', () => {
  it('is the cheapest of all, covers each row and column, and never goes back', () => {
    const random = seededRandom(11)
    for (let round = 0; round < 60; round++) {
      const [rows, columns] = [1 + Math.floor(random() * 5), 1 + Math.floor(random() * 6)]
      const costs = Float64Array.from({ length: rows * columns }, () => random() - 0.3)
      const { first, last } = monotonicPath(costs, rows, columns)
      let sum = 0
      for (let row = 0; row < rows; row++) {
        const [from, to] = [first[row] as number, last[row] as number]
        for (let column = from; column <= to; column++) sum += costs[row * columns + column] as number
        const before = row === 0 ? 0 : (last[row - 1] as number)
        expect(row === 0 ? from === 0 : from === before || from === before + 1).toBe(true)
        expect(to).toBeGreaterThanOrEqual(from)
      }
      expect(last[rows - 1]).toBe(columns - 1)
      expect(sum).toBeCloseTo(leastCost(costs, rows, columns), 9)
    }
  })
})

describe('pauses', () => {
  const tone = (seconds: number, level: number) =>
    Float32Array.from({ length: seconds * 16000 }, (_, i) => level * Math.sin(i / 3))
  const join = (...parts: Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]))

  it('are where the level is low for 80 ms and more', () => {
    const samples = join(
      tone(0.5, 0.001),
      tone(0.4, 0.5),
      tone(0.07, 0.001),
      tone(0.4, 0.5),
      tone(0.1, 0.001),
      tone(0.3, 0.4),
    )
    expect(pausesIn(samples)).toEqual([
      { start: 0, end: 0.5 },
      { start: 1.37, end: 1.47 },
    ])
  })

  it('are none where nothing is louder than the rest, nor in nothing', () => {
    expect(pausesIn(new Float32Array(16000))).toEqual([])
    expect(pausesIn(new Float32Array(0))).toEqual([])
  })
})

describe('words of a text', () => {
  const words = (text: string) => wordRanges(text).map(({ start, end }) => text.slice(start, end))
  it.each([
    ['One, two (three) "four"?', ['One,', 'two', '(three)', '"four"?']],
    ["  It's  3.5 kg — really…\n", ["It's", '3.5', 'kg', '—', 'really…']],
    ['今日は天気がいいですね。', ['今日', 'は', '天気', 'が', 'いい', 'です', 'ね。']],
    ['「こんにちは」と彼女は', ['「こんにちは」', 'と', '彼女', 'は']],
    ['我喜欢 ChatGPT 和咖啡。', ['我', '喜欢', 'ChatGPT', '和', '咖啡。']],
    ['สวัสดีครับ', ['สวัสดี', 'ครับ']],
    ['שלום, עולם!', ['שלום,', 'עולם!']],
    ['안녕하세요 여러분', ['안녕하세요', '여러분']],
    ['...', ['...']],
    ['', []],
  ])('%s', (text, wanted) => {
    expect(words(text)).toEqual(wanted)
    expect(words(text).join('')).toBe(text.replace(/\s/g, ''))
  })
})

describe('texts of tokens', () => {
  /** Each token is some bytes of UTF-8. */
  const bytes = (...parts: (string | number[])[]) =>
    parts.map((part) => (typeof part === 'string' ? [...Buffer.from(part)] : part))
  const decoderOf = (tokens: readonly (readonly number[])[]) => ({
    decode: (ids: readonly number[]) => Buffer.from(ids.flatMap((id) => tokens[id] ?? [])).toString('utf8'),
  })
  it('are places in the text, shared by tokens that are one character together', () => {
    const tokens = bytes('a', ' b', [0xe4], [0xbb, 0x8a], 'c', [0xf0, 0x9f], [0x98], [0x80])
    const { text, ranges } = tokenRanges(decoderOf(tokens), [...tokens.keys()])
    expect(text).toBe('a b今c😀')
    expect(ranges.map(({ start, end }) => text.slice(start, end))).toEqual([
      'a',
      ' b',
      '今',
      '今',
      'c',
      '😀',
      '😀',
      '😀',
    ])
  })

  it('are what they are where bytes never become a character', () => {
    const tokens = bytes([0xe4], [0xbb], 'x')
    const { text, ranges } = tokenRanges(decoderOf(tokens), [0, 1, 2])
    expect(text).toBe(decoderOf(tokens).decode([0, 1, 2]))
    expect(ranges).toHaveLength(3)
  })
})

describe('times of words', () => {
  /** Attention of tokens to features: most of it at the named ones, the rest even. */
  const looking = (features: number, ...at: (readonly [from: number, to: number])[]) =>
    at.map(([from, to]) =>
      Float32Array.from({ length: features }, (_, i) =>
        i >= from && i <= to ? 0.9 / (to - from + 1) : 0.002,
      ),
    )
  const textOf = (...tokens: string[]) => {
    const ranges = tokens.map((token, i) => {
      const start = tokens.slice(0, i).join('').length
      return { start, end: start + token.length }
    })
    return { text: tokens.join(''), ranges }
  }

  it('are those of the features that their tokens look at', () => {
    const evidence = {
      ...textOf('One', ' tw', 'o', '.'),
      attention: looking(20, [0, 4], [5, 8], [9, 14], [15, 16], [17, 19]),
      ...{ pauses: [], seconds: 1.6 },
    }
    expect(timedWords(evidence)).toEqual([
      { text: 'One', start: 0, end: 0.4 },
      { text: 'two.', start: 0.4, end: featureStart(15) },
    ])
  })

  it('count features as the encoder gives them: 13 a second', () => {
    expect([0, 1, 12, 13, 14, 26].map(featureStart)).toEqual([0, 0.08, 0.96, 1, 1.08, 2])
  })

  it('end and begin at pauses', () => {
    const evidence = {
      ...textOf('One', ' two', '.'),
      attention: looking(26, [2, 5], [12, 18], [19, 20], [21, 25]),
      pauses: [
        { start: 0, end: 0.12 },
        { start: 0.5, end: 0.93 },
        { start: 1.6, end: 2 },
      ],
      seconds: 2,
    }
    const [one, two] = timedWords(evidence)
    expect(one).toEqual({ text: 'One', start: 0.12, end: 0.5 })
    expect(two).toEqual({ text: 'two.', start: 0.93, end: 1.6 })
  })

  it('are on one side of a long pause', () => {
    const evidence = {
      ...textOf('One', ' two'),
      attention: looking(26, [0, 3], [20, 25], [25, 25]),
      pauses: [{ start: 0.6, end: 1.5 }],
      seconds: 2,
    }
    expect(timedWords(evidence)[1]).toMatchObject({ start: 1.5, end: featureStart(25) })
  })

  it('begin where the text begins, and never overlap, whatever the attention is', () => {
    const random = seededRandom(4)
    for (let round = 0; round < 40; round++) {
      const features = 1 + Math.floor(random() * 40)
      const tokens = ['language', ' English', '>', ' A', 'b', ',', ' c', ' d.']
      const attention = [...tokens, ''].map(() => Float32Array.from({ length: features }, random))
      const pauses = [{ start: random(), end: 1 + random() }]
      const seconds = features * 0.077
      const found = timedWords(
        { ...textOf(...tokens), attention, pauses, seconds },
        'language English>'.length,
      )
      expect(found.map(({ text }) => text)).toEqual(['Ab,', 'c', 'd.'])
      let before = 0
      for (const { start, end } of found) {
        expect(start).toBeGreaterThanOrEqual(before)
        expect(end).toBeGreaterThanOrEqual(start)
        before = end
      }
    }
  })

  it('are none without a text, or without attention', () => {
    const nothing = { pauses: [], seconds: 1 }
    expect(timedWords({ ...textOf('a'), attention: [], ...nothing })).toEqual([])
    expect(timedWords({ text: '', ranges: [], attention: looking(3, [0, 1]), ...nothing })).toEqual([])
  })
})
