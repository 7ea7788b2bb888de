// SPDX-License-Identifier: Apache-2.0

import { createRequire } from 'node:module'
import type { onnx as Onnx } from 'onnx-proto'
import { InferenceSession, Tensor } from '../eval/runtime/onnxruntime.ts'
import { floats, output } from '../eval/runtime/session.ts'

/* 8-bit products as onnxruntime computes them in this process, and which kernels it has for them. */

const { onnx } = createRequire(import.meta.url)('onnx-proto') as { onnx: typeof Onnx }

/** Weights [K, N] of 8-bit products. */
export interface Levels {
  readonly K: number
  readonly N: number
  readonly levels: Int8Array
}

/** Whether products of u8 by s8 are added exactly, whatever the weights are, or end at 16 bits. */
export type Adding = 'exact' | 'saturating'

const TYPES = { float32: 1, uint8: 2, int8: 3 } as const

/**
 * rows u8 [M, K] times levels s8 [K, N] by MatMulIntegerToFloat, as the graphs for prompts and of INT8 variants have it.
 * @param zero of the rows
 * @param fed whether the weights are an input, as in the graph for prompts, or part of the model
 * @returns [M, N]; whole numbers up to 2^24 are exact
 */
export async function multiply(
  rows: Uint8Array,
  { K, N, levels }: Levels,
  zero: number,
  fed: boolean,
): Promise<Float32Array> {
  const session = await InferenceSession.create(model(K, N, zero, fed ? undefined : levels), {
    intraOpNumThreads: 1,
  })
  try {
    const feeds = { x: new Tensor('uint8', rows, [rows.length / K, K]) }
    const weight = { weight: new Tensor('int8', levels, [K, N]) }
    return floats(output(await session.run(fed ? { ...feeds, ...weight } : feeds), 'y'))
  } finally {
    await session.release()
  }
}

/**
 * 255 x 127, 512 times: instructions of VNNI add in 32 bits, VPMADDUBSW adds pairs that end at 32767.
 * @throws Error for any other sum
 */
export async function probeAdding(): Promise<Adding> {
  const [K, N] = [512, 16]
  const rows = new Uint8Array(K).fill(255)
  const [sum] = await multiply(rows, { K, N, levels: new Int8Array(K * N).fill(127) }, 0, true)
  if (sum === K * 255 * 127) return 'exact'
  if (sum === (K / 2) * 32767) return 'saturating'
  throw new Error(`512 times 255 x 127 is ${sum} here, wanted ${K * 255 * 127} or ${(K / 2) * 32767}.`)
}

/** @param levels none: they are fed */
function model(K: number, N: number, zero: number, levels: Int8Array | undefined): Uint8Array {
  const value = (name: string, elemType: number, dims: readonly (number | string)[]) => ({
    name,
    type: {
      tensorType: {
        elemType,
        shape: { dim: dims.map((dim) => (typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim })) },
      },
    },
  })
  const constant = (name: string, dataType: number, dims: number[], data: ArrayBufferView) => ({
    ...{ name, dataType, dims },
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  })
  const weight = levels ? [constant('weight', TYPES.int8, [K, N], levels)] : []
  const graph = {
    name: 'product',
    input: [value('x', TYPES.uint8, ['M', K]), ...(levels ? [] : [value('weight', TYPES.int8, [K, N])])],
    output: [value('y', TYPES.float32, ['M', N])],
    initializer: [
      ...weight,
      constant('one', TYPES.float32, [], Float32Array.of(1)),
      constant('scales', TYPES.float32, [N], new Float32Array(N).fill(1)),
      constant('zero', TYPES.uint8, [], Uint8Array.of(zero)),
      constant('weight_zero', TYPES.int8, [], Int8Array.of(0)),
    ],
    node: [
      {
        ...{ opType: 'MatMulIntegerToFloat', domain: 'com.microsoft', output: ['y'] },
        input: ['x', 'weight', 'one', 'scales', 'zero', 'weight_zero'],
      },
    ],
  }
  const opsetImport = [
    { domain: '', version: 18 },
    { domain: 'com.microsoft', version: 1 },
  ]
  return onnx.ModelProto.encode({ irVersion: 10, opsetImport, graph }).finish()
}
