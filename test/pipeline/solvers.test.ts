// SPDX-License-Identifier: Apache-2.0

import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { stagePython } from '../helpers/prepared.ts'

interface Found {
  readonly packing: Record<string, boolean>
  readonly identity: Record<string, { apart: number; furthest: number; scales: number; zeros: number }>
  readonly outputs: Record<string, { ratio: number; inRange: boolean; used: number }>
  readonly corners: {
    readonly columns: boolean
    readonly eight: boolean
    readonly nothing: boolean
    readonly unseen: number
    readonly inverse: number
    readonly kQuant: { usual: number; positive: number; negative: number }
    readonly equal: readonly number[]
  }
  readonly smoothing: {
    readonly undone: number
    readonly awq: readonly number[]
    readonly smoothquant: readonly number[]
    readonly limits: readonly number[]
  }
  readonly errors: readonly (readonly string[])[]
}

let found: Found

beforeAll(async () => {
  const { stdout } = await execa(await stagePython(), ['test/helpers/check_solvers.py'])
  found = JSON.parse(stdout)
})

describe('solvers', () => {
  it("pack levels into onnxruntime's own bytes, of every number of bits, blocks and signs", () => {
    const formats = 'q2b16 q2b64s q4b16 q4b32s q4b64 q4b64s q4b128 q8b32 q8b128s'.split(' ')
    expect(found.packing).toEqual(Object.fromEntries(formats.map((name) => [name, true])))
  })

  it('round to nearest by GPTQ when inputs have nothing to do with each other', () => {
    for (const [name, { apart, furthest, scales, zeros }] of Object.entries(found.identity)) {
      expect(apart, name).toBeLessThan(10) // ties, of 24,576
      expect([furthest <= 1, scales < 1e-6, zeros], name).toEqual([true, true, 0])
    }
    expect(Object.keys(found.identity)).toHaveLength(4)
  })

  it('keep outputs by GPTQ far better than by rounding, on inputs that it has not seen', () => {
    const names = 'q2b16 q2b64s q4b16 q4b32s q4b64 q4b128s q4b256'.split(' ')
    expect(Object.keys(found.outputs)).toEqual(names)
    for (const [name, { ratio, inRange, used }] of Object.entries(found.outputs)) {
      expect(ratio, name).toBeLessThan(0.65)
      expect([inRange, used], name).toEqual([true, name.startsWith('q2') ? 4 : 16])
    }
  })

  it('hold for inputs that never come, matrices of many columns and 8 bits', () => {
    expect(found.corners).toMatchObject({ columns: true, eight: true, nothing: true })
    expect(found.corners.unseen).toBeLessThan(0.6) // levels, of weights that nothing is known about
    expect(found.corners.inverse).toBeLessThan(1e-3)
  })

  it('leave blocks of one sign to rounding by k_quant, whose kernel loses them', () => {
    expect(found.corners.kQuant).toEqual({ usual: expect.closeTo(1, 1), positive: 1, negative: 1 })
    expect(found.corners.equal).toEqual([0.25, 0.25, 0.25])
  })

  it('say what they cannot do', () => {
    expect(found.errors).toEqual([
      ['There is no solver hqq.', 'Wanted one of rtn, k_quant, gptq.'],
      [
        'Blocks of 64 do not divide the 96 inputs of a weight.',
        'Choose a block size that divides the number of inputs.',
      ],
      ['gptq needs a calibration.', 'Give --calibration.'],
      ['k_quant has zero points: it cannot make symmetric blocks.', 'Choose q4b32, or another solver.'],
      ['The activations of the calibration are not finite.', 'Remove the calibration folder and run again.'],
    ])
  })
})

describe('smoothing', () => {
  it('undoes an outlier of any size by the weights behind it', () => {
    expect(found.smoothing.undone).toBeLessThan(1e-5)
  })

  it('is by the formulas, leaves unused channels as they are and has limits', () => {
    // (mean |x| / 3) ** 0.5, squared
    expect(found.smoothing.awq.map((value) => value.toFixed(4))).toEqual([
      '0.3333',
      '0.6667',
      '1.0000',
      '2.0000',
    ])
    // 2 ** 0.25 / 8 ** 0.75 = 2 ** -2
    expect(found.smoothing.smoothquant).toEqual([1, 1, 0.25])
    expect(found.smoothing.limits[0]).toBeCloseTo(1e-5, 10)
  })
})
