// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { comparePaths, type PathResult } from '../../eval/compare.ts'
import { differenceOf, nonFinite } from '../../eval/difference.ts'
import { compareDecoder } from '../../eval/parity.ts'
import type { Reference } from '../../eval/reference.ts'
import { argmax, type Decoder } from '../../eval/runtime/decoder.ts'
import type { Recognizer } from '../../eval/runtime/recognizer.ts'

const NAMES = { found: 'ours', wanted: 'theirs' }
const { NaN: NAN, POSITIVE_INFINITY: INFINITE } = Number

describe('differenceOf', () => {
  it('gives the largest difference and the root of the mean square', () => {
    const difference = differenceOf(Float32Array.of(1, 2, 3), Float32Array.of(1, 0, 4), NAMES)
    expect(difference).toEqual({ worst: 2, rms: Math.sqrt(5 / 3), problem: undefined })
  })

  it.each([
    [[1, NAN, 3], [1, 2, 3], 'ours has NaN at value 2 of 3'],
    [[1, 2, 3], [NAN, 2, 3], 'theirs has NaN at value 1 of 3'],
    [[NAN, 2], [NAN, 2], 'ours has NaN at value 1 of 2'],
    [[INFINITE], [INFINITE], 'ours has Infinity at value 1 of 1'],
    [[1], [-INFINITE], 'theirs has -Infinity at value 1 of 1'],
    [[1], [1, 2], 'ours has 1 values, theirs 2'],
    [[], [NAN], 'theirs has NaN at value 1 of 1'],
  ])('%j against %j: %s', (found, wanted, problem) => {
    const difference = differenceOf(Float32Array.from(found), Float32Array.from(wanted), NAMES)
    expect(difference).toEqual({ worst: NAN, rms: NAN, problem })
  })

  it('finds nothing wrong in finite values', () => {
    expect(nonFinite(Float32Array.of(0, -0, 3.4e38))).toBeUndefined()
  })
})

describe('argmax', () => {
  it('gives no token where the largest logit is not a finite number', () => {
    expect(argmax(Float32Array.of(-INFINITE, 2, 5, 5))).toBe(2)
    for (const logits of [
      [NAN, NAN],
      [NAN, 1],
      [1, INFINITE],
      [-INFINITE, -INFINITE],
    ])
      expect(() => argmax(Float32Array.from(logits))).toThrow(
        /^The decoder computed \S+ as its largest logit, wanted/,
      )
  })
})

describe('comparePaths', () => {
  const path = (name: string, change: Partial<PathResult> = {}): PathResult => ({
    ...{ path: name, text: '', tokens: [1, 2], mel: Float32Array.of(1, 2), features: Float32Array.of(3, 4) },
    ...change,
  })
  const problemsOf = (...paths: PathResult[]) => comparePaths(paths, String).map(({ problems }) => problems)

  it('finds none in paths that agree', () => {
    expect(problemsOf(path('PyTorch'), path('ONNX'))).toEqual([[], []])
  })

  it('names the path and the value on either side, also where both have the same', () => {
    const broken = { features: Float32Array.of(3, NAN) }
    const ours = 'ONNX: features has NaN at value 2 of 2'
    const theirs = 'PyTorch: features has NaN at value 2 of 2'
    expect(problemsOf(path('PyTorch'), path('ONNX', broken))).toEqual([[], [ours]])
    expect(problemsOf(path('PyTorch', broken), path('ONNX'))).toEqual([[theirs], [theirs]])
    expect(problemsOf(path('PyTorch', broken), path('ONNX', broken))).toEqual([[theirs], [ours]])
    expect(problemsOf(path('PyTorch', { mel: Float32Array.of(INFINITE, 1) }))).toEqual([
      ['PyTorch: mel has Infinity at value 1 of 2'],
    ])
    expect(problemsOf(path('PyTorch'), path('ONNX', { problem: 'ONNX: no text.' }))[1]).toEqual([
      'ONNX: no text.',
    ])
  })
})

describe('parity along PyTorch tokens', () => {
  const VOCABULARY = 3
  const RIGHT = [0, 1, 0, 1, 0, 0] // tokens 1 and 0

  /** A recognizer whose decoder gives these rows of logits, one after the other. */
  const recognizerOf = (logits: readonly number[]): Recognizer => {
    let next = 0
    const row = async () => {
      const start = VOCABULARY * next++
      return Float32Array.from(logits.slice(start, start + VOCABULARY))
    }
    const decoder: Pick<Decoder, 'prefill' | 'step' | 'remove' | 'clear'> = {
      ...{ prefill: row, step: row, remove: () => {}, clear: () => {} },
    }
    const tokenizer = { idOf: () => 0 }
    return { decoder, tokenizer, config: { vocabSize: VOCABULARY } } as unknown as Recognizer
  }
  const referenceOf = (logits: readonly number[]): Reference => ({
    ...{ id: 'clip', promptIds: [0], tokens: [1, 0] },
    mel: { data: new Float32Array(), shape: [128, 0] },
    features: { data: new Float32Array(), shape: [0, 1] },
    logits: { data: Float32Array.from(logits), shape: [2, VOCABULARY] },
  })
  const compare = (found: readonly number[], wanted: readonly number[]) =>
    compareDecoder(recognizerOf(found), 'split', [referenceOf(wanted)], { features: 1e-4, logits: 1e-3 })

  it('passes where all is equal', async () => {
    const comparisons = await compare(RIGHT, RIGHT)
    expect(comparisons).toEqual([
      { check: 'split logits', clip: 'clip', worst: 0, tolerance: 1e-3 },
      { check: 'split tokens', clip: 'clip', worst: 0, tolerance: 0 },
    ])
    expect(comparisons.every(({ worst, tolerance }) => worst <= tolerance)).toBe(true)
  })

  it.each([
    [
      'ours in the prompt',
      [NAN, 1, 0, 1, 0, 0],
      RIGHT,
      'onnxruntime, logits of token 1, has NaN at value 1 of 3',
      1,
    ],
    [
      'ours in a step',
      [0, 1, 0, 1, NAN, 0],
      RIGHT,
      'onnxruntime, logits of token 2, has NaN at value 2 of 3',
      1,
    ],
    [
      'theirs',
      RIGHT,
      [0, 1, 0, 1, 0, INFINITE],
      'PyTorch, logits of token 2, has Infinity at value 3 of 3',
      0,
    ],
    [
      'the same on both sides',
      [0, 1, 0, 1, NAN, 0],
      [0, 1, 0, 1, NAN, 0],
      'onnxruntime, logits of token 2, has NaN at value 2 of 3',
      1,
    ],
  ])('fails and names the value: %s', async (_, found, wanted, problem, otherTokens) => {
    const [logits, tokens] = await compare(found, wanted)
    expect(logits).toEqual({ check: 'split logits', clip: 'clip', worst: NAN, tolerance: 1e-3, problem })
    expect(logits && logits.worst <= logits.tolerance).toBe(false)
    expect(tokens?.worst).toBe(otherTokens)
  })
})
