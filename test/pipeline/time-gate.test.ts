// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import type { UtteranceRecord } from '../../eval/record.ts'
import { scoreAll, summarize } from '../../eval/summary.ts'
import { addedTimeError, timeError } from '../../pipeline/gates/time-gate.ts'
import { requiredFigures } from '../../pipeline/release/required-gates.ts'

const WAY = { layout: 'aligner', prefill: 'same' } as const
const NAMES = { dataset: 'held-out', system: 'fp32', normalizer: 'basic' } as const

/** Two words that are late by `late` seconds, or an utterance that could not be aligned. */
function record(row: number, late: number | undefined, isKnown: boolean): UtteranceRecord {
  const words = (by: number) => [
    { text: 'One', start: 0.1 + by, end: 0.4 + by },
    { text: 'two', start: 0.5 + by, end: 0.9 + by },
  ]
  return {
    ...{ kind: 'utterance', dataset: 'held-out', system: 'fp32', setting: 's', machine: 'm' },
    ...{ id: `clip-${row}`, row, key: `${row}`, reference: 'One two', text: '', compute: 1, pieces: [] },
    seconds: late === undefined ? 0 : 2,
    ...(late === undefined ? { problem: 'It is too long.' } : { words: words(late) }),
    ...(late !== undefined && isKnown && { referenceWords: words(0) }),
  }
}

function rowOf(lates: readonly (number | undefined)[], isKnown = true) {
  const records = lates.map((late, row) => record(row, late, isKnown))
  const scores = scoreAll(records, { kind: 'aligner', normalizer: 'basic', hotwords: new Map() })
  return summarize(NAMES, 'aligner', scores)
}

const judged = (lates: readonly (number | undefined)[], maxTimeError?: number, isKnown = true) => {
  const row = rowOf(lates, isKnown)
  const known = maxTimeError === undefined ? {} : { maxTimeError }
  return timeError.judge({ way: WAY, row, row32: row, known }, {})
}

describe('the error of times', () => {
  it('is that of starts and ends in milliseconds, with the limit of the model if there is one', () => {
    expect(judged([0.04, -0.06], 0.06)).toEqual([
      {
        ...{ ...WAY, gate: 'time error', unit: 'milliseconds', limit: 60, note: '8 starts and ends' },
        found: expect.closeTo(50, 6),
      },
    ])
    expect(judged([0.04])).toMatchObject([
      { limit: null, note: '4 starts and ends; no limit is known for this model and speech' },
    ])
  })

  it('is not found on speech without times', () => {
    expect(judged([0.04], 0.06, false)).toEqual([])
  })

  it('is a problem where nothing was aligned, and on speech with a limit where anything was not', () => {
    expect(judged([undefined, undefined])).toMatchObject([
      { found: Number.NaN, problem: '2 utterances could not be aligned' },
    ])
    expect(judged([0.01, undefined], 0.06)).toMatchObject([{ problem: '1 utterance could not be aligned' }])
    expect(judged([0.01, undefined])).toMatchObject([{ found: expect.closeTo(10, 6) }])
  })

  it('of a variant is what it adds to that of FP32', () => {
    const added = (...lates: readonly (number | undefined)[]) =>
      addedTimeError.judge(
        { way: WAY, row: rowOf(lates), row32: rowOf([0.02, 0.02]), known: {} },
        { mean: 10 },
      )
    expect(added(0.03, 0.05)).toMatchObject([{ found: expect.closeTo(20, 6), limit: 10 }])
    expect(added(0.01, 0.01)).toMatchObject([{ found: expect.closeTo(-10, 6) }])
    expect(added(0.01, undefined)).toMatchObject([{ problem: '1 utterance could not be aligned' }])
  })

  it('is asked of the first way on the first provider', () => {
    expect(timeError.figures([WAY, { ...WAY, prefill: 'int8' }], {}, { features: 0, logits: 0 })).toEqual([
      { ...WAY, gate: 'time error', unit: 'milliseconds', limit: undefined },
    ])
    const figures = requiredFigures({ variants: ['int4'], providers: ['cpu', 'webgpu'], prefillInt8: true })
    expect(figures.filter(({ gate }) => gate === 'added WER').map(({ provider }) => provider)).toEqual([
      'cpu',
    ])
  })
})
