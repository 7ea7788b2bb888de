// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { compareAll, compareRows } from '../../pipeline/lab/compare-recipes.ts'
import type { TrialRecord } from '../../pipeline/lab/trial-record.ts'
import type { Fidelity } from '../../pipeline/release/fidelity-schema.ts'
import { fidelityOf, trialRecord } from '../helpers/trial.ts'

function trial(
  name: string,
  bytes: number,
  mean: number,
  more: Partial<Fidelity> = {},
  fp32 = 'f',
): TrialRecord {
  return trialRecord(name, {
    fingerprints: { recipe: name, fp32, clips: 'c', code: 'd' },
    fidelity: fidelityOf(name, bytes, mean, more),
    bytes: { decoder: 1, encoder: 1, embeddings: 1, total: bytes },
    wer: { errors: 5, words: 500, fp32Errors: 5, fp32Words: 500 },
  })
}

const VARIANTS = [fidelityOf('fp32', 100, 0), fidelityOf('int4', 40, 0.001)]
const WERS = new Map([['int4', 0.02]])

describe('recipes side by side', () => {
  it('are ordered by bytes, and say what beats them', () => {
    const trials = [trial('worse', 50, 0.002), trial('better', 30, 0.0005), trial('larger', 60, 0.0001)]
    const compared = compareAll(VARIANTS, WERS, trials, 'f')
    expect(compared.map(({ name, beatenBy }) => [name, beatenBy])).toEqual([
      ['better', undefined],
      ['int4', 'better'],
      ['worse', 'int4'],
      ['larger', undefined],
      ['fp32', undefined],
    ])
    expect(compareRows(compared)[0]).toEqual([
      ...['better (trial)', '30 B', '0.00050', '0.00025 to 0.0010', '-', '99.90 %', '1 of 3', '1.00 %'],
      ...['2.00', '20.00', ''],
    ])
    expect(compareRows(compared)[1]).toEqual([
      ...['int4', '40 B', '0.0010', '0.00050 to 0.0020', '-', '99.90 %', '1 of 3', '2.00 %', '-', '-'],
      'better is smaller and closer',
    ])
  })

  it('of other files or clips beat none', () => {
    const trials = [
      trial('old', 10, 0, {}, 'other'),
      trial('few', 10, 0, { clips: 2, positions: 20 }),
      trial('own', 50, 0.002),
    ]
    const compared = compareAll(VARIANTS, WERS, trials, 'f')
    expect(compared.map(({ name, remark, beatenBy }) => [name, remark, beatenBy])).toEqual([
      ['old', 'of other FP32 files', undefined],
      ['few', 'on other clips', undefined],
      ['int4', undefined, undefined],
      ['own', undefined, 'int4'],
      ['fp32', undefined, undefined],
    ])
  })
})
