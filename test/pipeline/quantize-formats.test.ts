// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import type { Rule } from '../../pipeline/recipe-schema.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

interface Facts {
  readonly operators: Record<string, number>
  readonly types: Record<string, number>
  readonly borders: string[]
  readonly largest: number[]
  readonly least: number
  readonly loss: number
}
interface Answer {
  readonly levels?: number[][]
  readonly scales?: number[]
  readonly half?: number[]
  readonly error?: string
  readonly hint?: string
  readonly formats?: Record<string, string>
  readonly bytes?: number
  readonly graphs?: Record<string, Facts>
}

const DECODERS = ['decoder_init', 'decoder_step', 'decoder']
const all = (format: string): Rule[] => [['*', format]]

/** Each is quantized once, all in one process. */
const MADE = {
  i8: { recipe: { decoder: all('i8') }, graphs: DECODERS },
  f16: { recipe: { decoder: all('f16') }, graphs: DECODERS },
  exact: {
    recipe: {
      decoder: [
        ['lm_head', 'f32'],
        ['layers.0.*', 'f32'],
        ['*', 'f16'],
      ],
    },
    graphs: DECODERS,
  },
  two: { recipe: { decoder: all('q2b32s') } },
  mixed: {
    recipe: {
      decoder: [
        ['attention', 'q8b32'],
        ['layers.1.*', 'i8'],
        ['*', 'q4b128s'],
      ],
    },
  },
  encoder8: {
    recipe: {
      encoder: [
        ['conv_out', 'f32'],
        ['conv_weights.2', 'bf16'],
        ['conv_weights.*', 'f32'],
        ['attention', 'q8b32'],
        ['mlp', 'q4b64'],
        ['*', 'i8'],
      ],
    },
    graphs: ['encoder'],
  },
  columns: {
    columns: [
      [64, 0, -0.5],
      [-32.4, 0, 0.25],
      [0.6, 0, 0.126],
    ],
  },
  mask: { half: [-3.4028234663852886e38] },
  largest: { half: [65_519, -65_504] },
  exactStem: {
    recipe: {
      encoder: [
        ['conv_weights.*', 'f32'],
        ['*', 'f16'],
      ],
    },
    graphs: ['encoder'],
  },
  encoder16: { recipe: { encoder: all('f16') }, graphs: ['encoder'] },
}

const REFUSED: Record<string, readonly [object, string, string]> = {
  blocks: [
    {
      recipe: {
        decoder: [
          ['lm_head', 'f32'],
          ['*', 'q4b256'],
        ],
      },
    },
    'layers.0.k has K = 128, which blocks of 256 do not divide.',
    'Block sizes that do: 16, 32, 64, 128.',
  ],
  format: [
    { recipe: { decoder: all('q3b64') } },
    'There is no format q3b64.',
    'Wanted f32, f16, bf16, i8 or q{bits}b{block}: bits 2, 4 or 8; blocks of 16, 32, 64, 128 or 256 weights.',
  ],
  selector: [
    {
      recipe: {
        encoder: [
          ['atention', 'q8b64'],
          ['*', 'q8b64'],
        ],
      },
      graphs: ['encoder'],
    },
    "The recipe's rule for atention decides about no weight.",
    'Wanted attention, mlp, or a pattern of names: conv_out, conv_weights.*, layers.*.fc1, layers.*.fc2, layers.*.k, layers.*.out, layers.*.q, layers.*.v, linear_1, linear_2.',
  ],
  nothing: [
    { recipe: { decoder: all('f32') } },
    'The recipe changes no weight: none of its rules has a format other than f32.',
    'Give a rule such as ["*", "q4b64"].',
  ],
  half: [
    {
      recipe: {
        decoder: [
          ['lm_head', 'q8b64'],
          ['*', 'f16'],
        ],
      },
    },
    'The recipe has f16 and q8b64 in one graph: f16 is a format of the whole graph.',
    'Only f32 can be used beside f16.',
  ],
  bfloat: [
    { recipe: { decoder: all('bf16') } },
    'layers.0.k is bf16, which is a format of encoders.',
    'Wanted another format in the decoder.',
  ],
  scales: [
    { recipe: { encoder: all('i8') }, graphs: ['encoder'] },
    'conv_weights.1 is i8, whose scales come from a calibration.',
    'Give --calibration DIR.',
  ],
  promptsInt8: [
    { recipe: { decoder: all('i8'), prompts: 'int8' } },
    'layers.0.k is i8, which prompts with 8-bit products cannot be made of: its products are of int8 already.',
    'Leave prompts: int8 out of the recipe.',
  ],
  prompts2: [
    {
      recipe: {
        decoder: [
          ['layers.2.down', 'q2b64'],
          ['*', 'q4b64'],
        ],
        prompts: 'int8',
      },
    },
    'layers.2.down is q2b64, which prompts with 8-bit products cannot be made of: wanted blocks of 4 or 8 bits, or f32.',
    'Leave prompts: int8 out of the recipe.',
  ],
  table: [
    {
      recipe: {
        decoder: [
          ['lm_head', 'f32'],
          ['*', 'q4b64'],
        ],
        embeddings: 'lm_head',
      },
    },
    "The recipe has embeddings: lm_head, and f32 as lm_head's format.",
    'Wanted a format of blocks of 4 or 8 bits, such as ["lm_head", "q8b64"].',
  ],
  smooth: [
    { recipe: { decoder: all('q8b64'), embeddings: 'lm_head', smooth: 'awq:0.2' } },
    'The recipe has smooth, which changes lm_head, and embeddings: lm_head, which reads tokens from it.',
    'Leave one out.',
  ],
  overflow: [
    { half: [1, 70_000, -3] },
    'layers.9.q holds 70000, which float16 cannot (largest: 65504).',
    'Leave the weight f32, or the variant out.',
  ],
  untied: [
    { recipe: { decoder: all('q8b64'), embeddings: 'lm_head' }, untied: true },
    'lm_head is another matrix than embed_tokens.bin: its rows cannot be the embedding table.',
    "Leave embeddings: lm_head out of the recipe: the checkpoint's embeddings are not tied.",
  ],
}

const CHECK = join(PROJECT, 'test', 'helpers', 'check_formats.py')
let made: Record<keyof typeof MADE, Answer>
let refused: Record<string, Answer>

beforeAll(async () => {
  const cases = [...Object.values(MADE), ...Object.values(REFUSED).map(([request]) => request)]
  const { stdio } = await execa(await stagePython(), [CHECK, join(await sharedReleases(), TINY_NAME)], {
    ...{ input: JSON.stringify(cases), stdio: ['pipe', 'ignore', 'inherit', 'pipe'] },
  })
  const answers = String(stdio[3])
    .trim()
    .split('\n')
    .map((line): Answer => JSON.parse(line))
  const names = [...Object.keys(MADE), ...Object.keys(REFUSED)]
  const named = Object.fromEntries(names.map((name, i) => [name, answers[i] ?? {}]))
  made = named as typeof made
  refused = named
})

const graph = ({ graphs }: Answer, name = 'decoder'): Facts => {
  const facts = graphs?.[name]
  if (facts === undefined) throw new Error(`No ${name}.`)
  return facts
}

describe('a format', () => {
  it.each(DECODERS)(
    'i8 has int8 weights of at most 64 levels in the graph, and rows of uint8: %s',
    (name) => {
      const { operators, largest, types, loss } = graph(made.i8, name)
      // keys and values, queries and outputs of a layer meet the same rows once
      expect([operators['MatMulIntegerToFloat'], operators['MatMulNBits']]).toEqual([22, undefined])
      expect(largest).toEqual([64])
      expect(types['INT8']).toBe(23) // and their zero point
      expect(loss).toBeGreaterThan(0.001)
      expect(loss).toBeLessThan(0.2)
    },
  )

  it.each(DECODERS)(
    'f16 computes all except positions and angles in float16, between float32 borders: %s',
    (name) => {
      const { borders, types, least, loss } = graph(made.f16, name)
      expect(borders).not.toContain('FLOAT16')
      expect(types['FLOAT']).toBe(name === 'decoder' ? 2 : 1) // inverse frequencies, and what scales queries with them
      if (name !== 'decoder_step') expect(least).toBe(-65504) // the mask, and no infinity
      expect(loss).toBeGreaterThan(0)
      expect(loss).toBeLessThan(0.005)
    },
  )

  it.each(DECODERS)('f32 beside f16 leaves weights as they are: %s', (name) => {
    const { types, loss } = graph(made.exact, name)
    expect(types['FLOAT']).toBe((name === 'decoder' ? 2 : 1) + 8) // lm_head and seven of layer 0
    expect(loss).toBeLessThan(0.005)
    expect(made.exact.formats?.['lm_head']).toBe('f32')
    expect(made.exact.formats?.['layers.1.q']).toBe('f16')
  })

  it('is that of the first rule, for each weight by itself, in one graph', () => {
    const { operators } = graph(made.mixed)
    expect([operators['MatMulNBits'], operators['MatMulIntegerToFloat']]).toEqual([19, 3])
    expect(made.mixed.formats).toMatchObject({
      'layers.1.q': 'q8b32',
      'layers.1.up': 'i8',
      lm_head: 'q4b128s',
    })
    expect(graph(made.two).loss).toBeLessThan(1.5)
  })

  it('i8 rounds each column by its own largest value; a column of zeros stays zeros', () => {
    expect(made.columns).toEqual({
      levels: [
        [64, 0, -64],
        [-32, 0, 32],
        [1, 0, 16],
      ],
      scales: [1, 0, 1 / 128],
    })
  })

  it('f16 lets a constant saturate, and rounds the largest weights', () => {
    expect([made.mask.half, made.largest.half]).toEqual([[-65_504], [65_504, -65_504]])
  })

  it('of an encoder stays inside the file', () => {
    const eight = graph(made.encoder8, 'encoder')
    expect([eight.operators['MatMulNBits'], eight.operators['MatMulIntegerToFloat']]).toEqual([18, 2])
    expect(made.encoder8.formats).toMatchObject({
      conv_out: 'f32',
      'conv_weights.1': 'f32',
      'conv_weights.2': 'bf16',
      'layers.2.out': 'q8b32',
      'layers.0.fc1': 'q4b64',
      linear_2: 'i8',
    })
    expect(eight.loss).toBeLessThan(0.5)
    expect([eight.types['BFLOAT16'], eight.operators['Cast']]).toEqual([1, 1])
    const half = graph(made.encoder16, 'encoder')
    expect(half.types['FLOAT']).toBeUndefined()
    expect(half.operators['Cast']).toBe(2)
    const exact = graph(made.exactStem, 'encoder')
    expect([exact.types['FLOAT'], exact.operators['Cast']]).toEqual([4, 6]) // two convolutions with their biases
    expect(exact.loss).toBeLessThan(0.001)
    expect([half.least, half.loss < 0.01]).toEqual([-65504, true])
  })
})

it.each(Object.keys(REFUSED))('a recipe is refused by name: %s', (name) => {
  const [, error, hint] = REFUSED[name] ?? []
  expect(refused[name]).toEqual({ error, hint })
})
