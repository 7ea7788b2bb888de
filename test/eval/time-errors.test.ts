// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import type { TimedWord } from '../../eval/runtime/timed-word.ts'
import { edgeErrors, oddTimes, summarizeTimes } from '../../eval/time-errors.ts'

/** `one 0 0.5` is a word; several are separated by commas. */
function words(text: string): TimedWord[] {
  return text.split(', ').flatMap((word) => {
    const [, said = '', start, end] = /^(.*) (\S+) (\S+)$/.exec(word) ?? []
    return said === '' ? [] : [{ text: said, start: Number(start), end: Number(end) }]
  })
}

const NONE = { words: 0, zeroLength: 0, nonMonotonic: 0, afterEnd: 0 }

describe('errors of edges', () => {
  it.each([
    [
      'late by 20 ms',
      'one 0 0.5, two 0.5 1',
      'One! 0.02 0.52, two. 0.52 1.02',
      [0.02, 0.02],
      [0.02, 0.02],
      4,
    ],
    ['the same', 'Größe 0.1 0.2', 'größe! 0.1 0.2', [0], [0], 2],
    [
      'a word that was not heard',
      'one 0 0.5, two 0.5 1, three 1 2',
      'one 0 0.4, three 1.1 1.9',
      [0, 0.1],
      [-0.1, -0.1],
      6,
    ],
    ['a word that was not said', 'one 0 0.5', 'um 0 0.1, one 0.1 0.4', [0.1], [-0.1], 2],
    ['another word', 'one 0 0.5, two 0.5 1', 'one 0 0.5, too 0.6 1', [0], [0], 4],
    [
      'words that the reference has together',
      'on the 0 0.5, top 0.5 1',
      'on 0.1 0.2, the 0.2 0.6, top 0.6 1',
      [0.1, 0.1],
      [0.1, 0],
      4,
    ],
    [
      'words that the hypothesis has together',
      'on 0 0.2, the 0.2 0.5, top 0.5 1',
      'on the 0.1 0.6, top 0.6 1',
      [0.1, 0.1],
      [0.1, 0],
      6,
    ],
    ['words that both have together', 'on the 0 0.5', 'on the 0.1 0.7', [0.1], [0.2], 2],
    ['joined words divided differently', 'a b 0 1, c 1 2', 'a 0 0.5, b c 0.5 2.5', [0], [0.5], 4],
    [
      'half of joined words',
      'on the 0 0.5, top 0.5 1',
      'on 0.1 0.2, a 0.2 0.6, top 0.6 1',
      [0.1, 0.1],
      [0],
      4,
    ],
    ['a hyphen on one side', 'twenty-one 0 1', 'twenty 0 0.5, one 0.5 1.5', [0], [0.5], 2],
    [
      'characters of a script without spaces',
      '今天 0 1, 好 1 2',
      '今 0.1 0.5, 天好 0.5 2.1',
      [0.1],
      [0.1],
      4,
    ],
    ['entries without a word', '- 0 0.1, one 0.1 0.5', 'one 0.1 0.5, ... 0.5 0.6', [0], [0], 2],
    ['nothing heard', 'one 0 0.5', '', [], [], 2],
    ['nothing said', '', 'one 0 0.5', [], [], 0],
    ['an edge 80 ms away in binary fractions', 'one 0.32 0.4', 'one 0.4 0.48', [0.08], [0.08], 2],
  ])('%s', (_, reference, hypothesis, starts, ends, of) => {
    expect(edgeErrors(words(reference), words(hypothesis), 'basic')).toEqual({ starts, ends, of })
  })

  it('normalizes as WER does', () => {
    const sides = [words('seven 0 1, colour 1 2'), words('7 0 1, color 1 2')] as const
    expect(edgeErrors(...sides, 'basic').starts).toEqual([])
    expect(edgeErrors(...sides, 'whisper-english').starts).toEqual([0, 0])
  })
})

describe('times that cannot be right', () => {
  it.each([
    ['one 0 0.5, two 0.5 1', NONE],
    ['one 0 0, two 0.5 0.4, - 0.5 0.5', { zeroLength: 2 }],
    ['one 0.5 1, two 0.4 1, three 0.45 1', { nonMonotonic: 1 }],
    ['one 0.5 0.9, one 0.5 1', NONE],
    ['one 0 1.0005, two 0.5 1.5', { afterEnd: 1 }],
    ['', NONE],
  ])('%s', (text, odd) => {
    const said = words(text)
    expect(oddTimes(said, 1)).toEqual({ ...NONE, ...odd, words: said.length })
  })
})

describe('figures', () => {
  const utterances = [
    { errors: { starts: [0.01, -0.03], ends: [0.08, 0.3], of: 4 }, odd: { ...NONE, words: 2, afterEnd: 1 } },
    {
      errors: { starts: [0.2], ends: [-0.1], of: 4 },
      odd: { words: 3, zeroLength: 1, nonMonotonic: 2, afterEnd: 0 },
    },
  ]

  it('are over the edges of all utterances', () => {
    const { starts, ends, all, ...rest } = summarizeTimes(utterances)
    expect(starts).toEqual({
      edges: 3,
      mean: expect.closeTo(0.08),
      median: 0.03,
      bias: expect.closeTo(0.06),
      within80: 2 / 3,
      within200: 1,
    })
    expect(ends).toEqual({
      edges: 3,
      mean: expect.closeTo(0.16),
      median: 0.1,
      bias: expect.closeTo(0.28 / 3),
      within80: 1 / 3,
      within200: 2 / 3,
    })
    expect(all).toEqual({
      ...{
        edges: 6,
        mean: expect.closeTo(0.12),
        median: expect.closeTo(0.09),
        bias: expect.closeTo(0.46 / 6),
      },
      ...{ within80: 0.5, within200: 5 / 6 },
    })
    expect(rest).toEqual({
      ...{ utterances: 2, referenceEdges: 8, odd: { words: 5, zeroLength: 1, nonMonotonic: 2, afterEnd: 1 } },
      meanInterval: { low: expect.closeTo(0.42 / 4), high: expect.closeTo(0.3 / 2) }, // of resamples of one utterance
      within80Interval: { low: 0, high: 0.75 },
    })
  })

  it('are none where no edge is known', () => {
    const { all, meanInterval: interval } = summarizeTimes([
      { errors: { starts: [], ends: [], of: 2 }, odd: NONE },
    ])
    expect(all).toEqual({
      edges: 0,
      mean: Number.NaN,
      median: Number.NaN,
      bias: Number.NaN,
      within80: Number.NaN,
      within200: Number.NaN,
    })
    expect(interval).toEqual({ low: Number.NaN, high: Number.NaN })
  })
})
