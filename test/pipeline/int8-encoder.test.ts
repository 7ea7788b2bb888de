// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { graphFile } from '../../eval/runtime/graphs.ts'
import { openModel } from '../../graph-tools/model.ts'
import { USUAL_CALIBRATION } from '../../pipeline/calibration-choice.ts'
import { calibrate } from '../../pipeline/quantize/calibration.ts'
import { type Made, quantizeVariant, requireFit } from '../../pipeline/quantize/quantize-variant.ts'
import type { Recipe } from '../../pipeline/recipe-schema.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

interface Loss {
  readonly cosine: number
  readonly least: number
  readonly mean: number
  readonly kld: number
}
/** Format and smoothing. */
type OfOutliers = 'i8 None' | 'i8 smoothquant:0.5' | 'q8 smoothquant:0.5' | 'bf16 None'
interface Found {
  readonly channels: object
  readonly scales: {
    readonly even: readonly number[]
    readonly narrow: number
    readonly lowest: readonly number[]
    readonly zeros: readonly number[]
    readonly gelu: readonly number[]
  }
  readonly stem: Readonly<Record<'types' | 'formats', Readonly<Record<string, string>>>> & {
    readonly operators: readonly string[]
    readonly largest: number
    readonly bytes: readonly [number, number]
  }
  readonly gates: Readonly<Record<'f32' | 'stem' | 'i8' | 'q8' | 'q2', Loss>> & {
    readonly choice: object
    readonly passes: object
    readonly kept: object
    readonly silent: boolean
    readonly none: readonly string[]
    readonly cosines: readonly number[]
  }
  readonly outliers: Readonly<Record<OfOutliers, Loss & { readonly divided: number }>> &
    Readonly<Record<'norms' | 'plain', number>> & { readonly same: Loss }
  readonly stored: object & { readonly share: number }
  readonly errors: object
}

/** The first rules lose too much. */
const RECIPE: Recipe = {
  decoder: [['*', 'q4b64']],
  encoder: [['*', 'q2b16']],
  encoderSmooth: 'smoothquant:0.5',
  encoderFallback: [[['*', 'i8']], [['*', 'bf16']]],
}

let found: Found
let made: Made
let operators: string[] = []

beforeAll(async () => {
  const model = join(await sharedReleases(), TINY_NAME)
  const python = await stagePython()
  const work = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-encoder-'))
  const { signal } = new AbortController()
  const how = {
    ...{ signal, emit: () => undefined },
    python: { python, log: join(work, 'log'), signal, onProgress: () => undefined },
  }
  const { folder } = await calibrate({
    ...{ ...USUAL_CALIBRATION, ...how, clips: 16, model, work, threads: 1, judged: new Map() },
  })
  const making = { ...how, from: model, to: work, work: join(work, 'making') }
  const options = { accuracyLevel: 4, decoders: [] }
  await requireFit(making, 'x', RECIPE, options)
  made = await quantizeVariant(making, 'x', RECIPE, { ...options, calibration: folder })
  operators = openModel(join(work, graphFile('encoder', 'x'))).graph.nodes.map(({ opType }) => opType)
  const { stdout } = await execa(python, ['test/helpers/check_encoder.py', model, folder])
  found = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  return () => rm(work, { recursive: true })
})

describe('convolutions of int8', () => {
  it('have levels of at most 64 for each channel, and biases that 32 bits hold', () => {
    expect(found.channels).toEqual({
      // the third channel is far below its bias: the scale is the bias's
      levels: [
        [32, -64, 1],
        [0, 0, 0],
        [0, 0, 0],
      ],
      bias: [2, 7, 3],
      sums: 2 ** 30,
      fixed: [0.5, 3, 1, 0],
      zeros: [[[[[0]], [[0]]]], [1]],
    })
  })

  it('are the second and the third; the first and what no rule changes stay float32', () => {
    const { operators, types, formats, largest, bytes } = found.stem
    const int8 = ['QuantizeLinear', 'QLinearConv', 'DequantizeLinear']
    expect(operators).toEqual(['Conv', ...int8, ...int8])
    expect(largest).toBe(64)
    expect(types).toMatchObject({
      'conv_weights.0': 'float32',
      'conv_weights.1_I8': 'int8',
      'conv_weights.2_input_zero': 'uint8',
      'conv_weights.2_bias': 'int32',
      conv_out: 'float32',
    })
    expect(Object.keys(types)).not.toContain('conv_weights.1')
    expect(formats).toEqual({ conv_out: 'f32', 'conv_weights.1': 'i8', 'conv_weights.2': 'i8' })
    // 32 channels: three bytes less for each of two times 32 * 32 * 9 weights
    expect(bytes[0] - bytes[1]).toBeGreaterThan(0.85 * 3 * 2 * 32 * 32 * 9)
  })

  it('have the scales that lose least, behind Gelu where one follows', () => {
    const { even, narrow, lowest, zeros, gelu } = found.scales
    expect(even).toEqual([expect.closeTo(0.0392, 6), 0]) // 10 / 255
    expect(narrow).toBeLessThan(55) // of 60, which one value in 200,001 has
    expect(narrow).toBeGreaterThan(40)
    expect(lowest[0]).toBeLessThan(-15) // of values with a deviation of 6
    expect(lowest[1]).toBeGreaterThan(-5) // Gelu makes 0 of what is below
    expect(zeros).toEqual([1, 0])
    expect(gelu).toEqual([-0.158655, 0, 1.9545])
  })
})

describe('the gate of encoders', () => {
  it('sees what each format loses: nothing, little, too much', () => {
    const { f32, stem, i8, q8, q2 } = found.gates
    expect(f32).toEqual({ cosine: 1, least: 1, mean: 1, kld: 0 })
    for (const [one, kld] of [
      [stem, 0.0002],
      [i8, 0.0002],
      [q8, 0.0001],
    ] as const) {
      expect(one.cosine).toBeGreaterThan(0.998)
      expect(one.kld).toBeGreaterThan(0)
      expect(one.kld).toBeLessThan(kld)
    }
    expect(q2.cosine).toBeLessThan(0.95)
    expect(q2.kld).toBeGreaterThan(0.01)
    for (const { least, cosine, mean } of [stem, i8, q8, q2])
      expect([least, cosine, mean]).toEqual([least, cosine, mean].sort())
    expect(found.gates.passes).toEqual({ f32: true, stem: true, i8: true, q8: true, q2: false })
    expect(found.gates.silent).toBe(false) // without a KLD that is finite
    expect(found.gates.cosines).toEqual([expect.closeTo(0.96, 12), 0])
  })

  it('judges a file once: variants share encoders', () => {
    expect(found.gates.kept).toEqual({ files: true, once: true, read: { cosine: 2 } })
  })

  it('takes the first rules that pass, and none when none does', () => {
    const { i8, q2, choice, none } = found.gates
    expect(choice).toEqual({
      rules: [['*', 'i8']],
      tried: [
        { rules: [['*', 'q2b16']], ...q2 },
        { rules: [['*', 'i8']], ...i8 },
      ],
      limits: { cosine: 0.99, kld: 0.001 },
    })
    expect(made).toEqual({ formats: {}, encoderChoice: choice }) // the same, by a recipe
    expect(operators).toContain('QLinearConv')
    expect(none[0]).toMatch(
      /^All rules for the encoder lose too much on the calibration: cosine 0\.9\d{3}, KLD 0\.0\d{4}; wanted at least 0\.99, and at most 0\.001\.$/,
    )
    expect(none[1]).toBe('Add [["*", "bf16"]] as the last of encoderFallback.')
  })
})

describe('large channels of norms', () => {
  it('lose precision in int8 and in blocks of 8 bits, and smoothing brings it back', () => {
    const { gates, outliers } = found
    expect(outliers.same).toEqual({ cosine: 1, least: 1, mean: 1, kld: 0 }) // the same function
    expect(outliers['i8 None'].cosine).toBeLessThan(0.5)
    expect(outliers['i8 None'].kld).toBeGreaterThan(0.1)
    expect(outliers['q8 smoothquant:0.5'].kld).toBeGreaterThan(0.05)
    expect(outliers['bf16 None']).toEqual({ cosine: 1, least: 1, mean: 1, kld: 0, divided: 0 })
    const mended = outliers['i8 smoothquant:0.5']
    expect(mended.cosine).toBeGreaterThan(0.998)
    expect(mended.kld).toBeLessThan(3 * gates.i8.kld)
  })

  it('are divided with the weights behind multiplied, before int8 alone; others are left as they are', () => {
    const { norms, plain, ...encoders } = found.outliers
    expect([norms, plain]).toEqual([7, 0]) // two for each of three layers, and the last
    // scale and bias of each; q, k and v, or fc1, of each layer; linear_1
    expect(encoders['i8 smoothquant:0.5'].divided).toBe(2 * 7 + 3 * (3 + 1) + 1)
    expect(encoders['q8 smoothquant:0.5'].divided).toBe(0)
    expect(encoders['i8 None'].divided).toBe(0)
  })
})

it('bf16 loses nothing: a weight that bfloat16 does not hold stays float32', () => {
  expect(found.stored).toMatchObject({ kept: ['layers.1.fc1'], count: 23, bfloat16: 22, equal: true })
  expect(found.stored.share).toBeLessThan(0.6)
})

it('says what the encoder of a recipe needs', () => {
  expect(found.errors).toEqual({
    calibration: ["The recipe's encoder needs a calibration.", 'Give --calibration DIR.'],
    blocks: [
      'conv_weights.1 is a convolution, which q8b64 cannot be a format of.',
      'Wanted i8, bf16, f16 or f32.',
    ],
  })
})
