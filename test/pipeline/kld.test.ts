// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { kld } from '../../pipeline/gates/kld-gate.ts'
import { comparePosition, divergence } from '../../pipeline/gates/position.ts'

const WAY = { layout: 'fused', prefill: 'same' } as const
const LIMITS = { mean: 0.01, p99: 0.1 }

describe('the gate kld', () => {
  it('is the divergence of two distributions in nats, by their logits', () => {
    // (3/4, 1/4) from (1/2, 1/2): 1/2 ln(2/3) + 1/2 ln 2
    const [found, wanted] = [Float32Array.of(Math.log(3), 0), Float32Array.of(7, 7)]
    expect(divergence(found, wanted)).toBeCloseTo(0.5 * Math.log(4 / 3), 6)
    expect(divergence(wanted, wanted)).toBe(0)
    // far apart, and far from what e^x can hold
    expect(divergence(Float32Array.of(-4000, 4000), Float32Array.of(4000, -4000))).toBe(8000)
  })

  it('looks at one position with the cosine of the logits, and whether greedy decoding continues alike', () => {
    const wanted = Float32Array.of(3, 4)
    const found = comparePosition(Float32Array.of(4, 3), wanted, 1)
    expect(found).toMatchObject({ cosine: 24 / 25, isSame: false })
    // e / (1 + e) and its rest change places: the divergence is ln(e) times their difference
    expect(found.kld).toBeCloseTo(Math.E / (1 + Math.E) - 1 / (1 + Math.E), 12)
    expect(comparePosition(wanted, wanted, 1)).toEqual({ kld: 0, cosine: 1, isSame: true })
    // of two equal logits greedy decoding takes the first
    expect(comparePosition(Float32Array.of(1, 1), wanted, 1).isSame).toBe(false)
  })

  it('is never below 0, and no shift of all logits changes it', () => {
    const random = seededRandom(3)
    for (let i = 0; i < 200; i++) {
      const wanted = Float32Array.from({ length: 50 }, () => 20 * random() - 10)
      const found = wanted.map((value) => value + (random() - 0.5) * 10 ** -(i % 6))
      const value = divergence(found, wanted)
      expect(value).toBeGreaterThanOrEqual(0)
      expect(
        divergence(
          found.map((logit) => logit + 64),
          wanted,
        ),
      ).toBeCloseTo(value, 4)
    }
  })

  it('judges the mean and the 99th percentile of each way, and nothing of one with a problem', () => {
    const values = Array.from({ length: 101 }, (_, i) => (i === 100 ? 1 : 0.001 * i))
    const positions = values.map((value) => ({ kld: value, cosine: 1, isSame: true }))
    const clips = [positions.slice(0, 60), positions.slice(60)].map((own, i) => ({
      ...{ clip: `clip ${i}`, isUtterance: true, positions: own, isCut: false },
    }))
    const judged = kld.judge([{ way: WAY, clips }], LIMITS)
    expect(
      judged.map(({ gate, unit, found, limit }) => [gate, unit, Number(found.toFixed(6)), limit]),
    ).toEqual([
      ['kld mean', 'nats', 0.058911, 0.01],
      ['kld p99', 'nats', 0.099, 0.1],
    ])
    const [broken] = kld.judge([{ way: WAY, clips: [], problem: 'onnxruntime has NaN' }], LIMITS)
    expect(broken).toMatchObject({ found: Number.NaN, problem: 'onnxruntime has NaN' })
  })

  it('requires each of its limits of every way', () => {
    const split = { layout: 'split', prefill: 'same' } as const
    const wanted = kld.figures([WAY, split], LIMITS, { features: 1, logits: 1 })
    expect(wanted.map(({ gate, layout, limit }) => [gate, layout, limit])).toEqual([
      ['kld mean', 'fused', 0.01],
      ['kld p99', 'fused', 0.1],
      ['kld mean', 'split', 0.01],
      ['kld p99', 'split', 0.1],
    ])
  })
})
