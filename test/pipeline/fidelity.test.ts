// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import type { ClipPositions } from '../../pipeline/gates/gate.ts'
import { clipFidelities, fidelitiesOf, fidelityOf, ratioTo } from '../../pipeline/lab/fidelity.ts'
import { positionLog } from '../../pipeline/lab/follow-clips.ts'
import { changedOf, FIDELITY_COLUMNS, fidelityRows, nats } from '../../pipeline/release/fidelity-table.ts'

const EMPTY = new Float32Array()
const ARRAY = { data: EMPTY, shape: [0] }
const REFERENCE = { promptIds: [], mel: ARRAY, features: ARRAY, logits: undefined }
const WAY = { layout: 'fused', prefill: 'same' } as const

/** A clip of these divergences; a negative one stands where another token is the likeliest. */
function clip(name: string, klds: readonly number[], more: Partial<ClipPositions> = {}): ClipPositions {
  const positions = klds.map((kld) => ({ kld: Math.abs(kld), cosine: 1 - Math.abs(kld), isSame: kld >= 0 }))
  return { clip: name, isUtterance: true, isCut: false, positions, ...more }
}

function followed(variant: string, clips: readonly ClipPositions[], provider = 'cpu') {
  return { variant, provider, bytes: 1e6, measured: { way: WAY, clips } }
}

const CLIPS = [
  clip('a', [0, 0.1, 0.2]),
  clip('b', [0.3, -0.4]),
  clip('c', [0.5, 0.6, 0.7, -0.8, -0.9]),
  clip('cut-1.00-s', [-9, -9], { isUtterance: false }),
]

describe('fidelity', () => {
  it('is of all positions of the utterances, and counts transcripts by their first other token', () => {
    const { kld, ...found } = fidelityOf(followed('int4', CLIPS))
    expect(found).toEqual({
      ...{ variant: 'int4', provider: 'cpu', ...WAY, clips: 3, positions: 10, top1: 0.7 },
      ...{ cosine: expect.closeTo(0.55, 12), changed: 2, cut: 0, bytes: 1e6 },
    })
    expect(kld).toMatchObject({ mean: expect.closeTo(0.45, 12), median: 0.45, max: 0.9 })
    expect(kld.p99).toBeCloseTo(0.891, 12)
    // of three clips one in 27 resamples has one of them alone, more than a tail of 2.5 %: the ends are their means
    expect(kld.low).toBeCloseTo(0.1, 12)
    expect(kld.high).toBeCloseTo(0.7, 12)
  })

  it('is the same every time, and holds the true mean in about 95 of 100 samples', () => {
    let state = 7
    const random = () => {
      state = (state * 16807) % 2147483647
      return state / 2147483647
    }
    // divergences of an exponential distribution, whose mean is 0.01
    const sample = () =>
      Array.from({ length: 60 }, (_, i) =>
        clip(
          String(i),
          Array.from({ length: 4 }, () => -0.01 * Math.log(1 - random())),
        ),
      )
    const all = Array.from({ length: 60 }, () => fidelityOf(followed('int4', sample())).kld)
    const held = all.filter(({ low, high }) => Number(low) <= 0.01 && 0.01 <= Number(high)).length
    expect(held).toBeGreaterThanOrEqual(51)
    expect(held).toBeLessThan(60)
    expect(fidelityOf(followed('int4', CLIPS))).toEqual(fidelityOf(followed('int4', CLIPS)))
  })

  it('says of how many utterances the end was not compared, unless they have changed before', () => {
    const clips = [clip('a', [0, 0], { isCut: true }), clip('b', [-1, 0], { isCut: true }), clip('c', [0])]
    const found = fidelityOf(followed('int4', clips))
    expect(found).toMatchObject({ clips: 3, changed: 1, cut: 1 })
    expect(changedOf(found)).toBe('1 of 3 (1 more cut off)')
  })

  it('is a multiple of that of int4 on the same provider, for all except int4', () => {
    const tenth = CLIPS.map((one) => ({
      ...one,
      positions: one.positions.map((position) => ({ ...position, kld: position.kld / 10 })),
    }))
    const all = [
      followed('fp32', tenth),
      ...[followed('int4', CLIPS), followed('q8', tenth), followed('q8', CLIPS, 'webgpu')],
    ]
    const [fp32, int4, q8, alone] = fidelitiesOf(all, 'int4')
    for (const one of [fp32, q8])
      for (const part of ['mean', 'low', 'high'] as const) expect(one?.ratio?.[part]).toBeCloseTo(0.1, 12)
    expect(q8?.ratio?.to).toBe('int4')
    expect([int4?.ratio, alone?.ratio]).toEqual([undefined, undefined])
  })

  it('compares nothing with a variant of other utterances', () => {
    const own = clipFidelities(CLIPS)
    const message = 'The ratio to int4 needs the same utterances: c was not compared alike.'
    expect(() => ratioTo({ name: 'int4', clips: own.slice(0, 2) }, own)).toThrow('same utterances: a was')
    const other = clipFidelities([...CLIPS.slice(0, 2), clip('c', [1])])
    expect(() => ratioTo({ name: 'int4', clips: other }, own)).toThrow(message)
  })

  it('has no figures but the reason where a logit is not finite', () => {
    const broken = { ...followed('q8', []), measured: { way: WAY, clips: [], problem: 'a: NaN' } }
    const [int4, q8] = fidelitiesOf([followed('int4', CLIPS), broken], 'int4')
    expect(int4?.kld.mean).toBeCloseTo(0.45, 12)
    const none = { mean: null, low: null, high: null, median: null, p99: null, max: null }
    expect(q8).toMatchObject({ clips: 0, positions: 0, kld: none, top1: null, problem: 'a: NaN' })
    expect(q8?.ratio).toBeUndefined()
    expect(fidelityRows([q8 as never])[0]?.slice(0, 5)).toEqual(['q8', 'not known', '-', '-', '-'])
  })
})

it('keeps what is seen of each clip, and counts tokens that were not compared', () => {
  const seen = positionLog()
  const of = (id: string, tokens: readonly number[]) =>
    seen.lookAt({ samples: EMPTY, isUtterance: true, reference: { ...REFERENCE, id, tokens } })
  const [whole, cut] = [of('whole', [1, 0]), of('cut', [1, 0, 1])]
  for (const look of [whole, cut]) {
    look(Float32Array.of(0, 1), Float32Array.of(0, 1), 1)
    look(Float32Array.of(0, 1), Float32Array.of(1, 0), 0)
  }
  const positions = [
    { kld: 0, cosine: 1, isSame: true },
    { kld: expect.closeTo((Math.E - 1) / (Math.E + 1), 12), cosine: 0, isSame: false },
  ]
  expect(seen.clips()).toEqual([
    { clip: 'whole', isUtterance: true, positions, isCut: false },
    { clip: 'cut', isUtterance: true, positions, isCut: true },
  ])
})

it('a row of fidelity has what people read first in front', () => {
  const [row] = fidelityRows([
    {
      ...fidelityOf(followed('int4-hq', CLIPS)),
      ...{ ratio: { to: 'int4', mean: 0.2912, low: 0.0418, high: 1.5 }, bytes: 3.3e8 },
    },
  ])
  expect(Object.fromEntries(FIDELITY_COLUMNS.map((name, i) => [name, row?.[i]]))).toEqual({
    ...{ variant: 'int4-hq', changed: '2 of 3', KLD: '0.45', interval: '0.10 to 0.70' },
    ...{ ratio: '0.29 (0.042 to 1.50)', median: '0.45', p99: '0.89', max: '0.90' },
    ...{ 'top-1': '70.00 %', cosine: '0.55000', files: '330 MB' },
  })
  expect([0.00092, 0.0099999, 0.00001, 1.24e-12, 0, 12.3].map(nats)).toEqual([
    ...['0.00092', '0.010', '0.000010', '1.2e-12', '0', '12'],
  ])
})
