// SPDX-License-Identifier: Apache-2.0

import { createRequire } from 'node:module'
import type { onnx as Onnx } from 'onnx-proto'
import { InferenceSession, Tensor } from '../../eval/runtime/onnxruntime.ts'
import { output } from '../../eval/runtime/session.ts'
import { openModel } from '../../graph-tools/model.ts'
import { DATA_TYPES } from '../../graph-tools/onnx-types.ts'
import { contentOf } from '../../graph-tools/tensor-data.ts'
import { readContent } from './graph-content.ts'

/* Convolutions of uint8 by int8 as onnxruntime computes them in this process, against sums of integers. */

const { onnx } = createRequire(import.meta.url)('onnx-proto') as { onnx: typeof Onnx }

export interface ConvolutionsTried {
  readonly convolutions: number
  /** outputs that are not what the integers give, of how many */
  readonly wrong: number
  readonly of: number
  /** the same of weights whose largest level is 127 */
  readonly stretched: number
}

/** Weights int8 [O, I, 3, 3]; K is I * 9. */
interface Kernel {
  readonly outputs: number
  readonly K: number
  readonly levels: Int8Array
}

const SIDE = 3
const ZERO = 128
/** Channels whose worst inputs are tried. */
const CHANNELS = 16

/** Of all convolutions by int8 weights in a graph. */
export async function tryConvolutions(file: string): Promise<ConvolutionsTried> {
  const kernels = kernelsOf(file)
  const found = { convolutions: kernels.length, wrong: 0, of: 0, stretched: 0 }
  for (const kernel of kernels) {
    const own = await countWrong(kernel)
    found.wrong += own.wrong
    found.of += own.of
    const levels = kernel.levels.map((level) => Math.round((level * 127) / 64))
    found.stretched += (await countWrong({ ...kernel, levels })).wrong
  }
  return found
}

function kernelsOf(file: string): Kernel[] {
  const model = openModel(file)
  return model.graph.initializers.flatMap((tensor): Kernel[] => {
    const [outputs = 0, channels = 0] = tensor.dims
    if (DATA_TYPES[tensor.dataType]?.name !== 'int8' || tensor.dims.length !== 4) return []
    const levels = new Int8Array(readContent(contentOf(model, tensor)))
    return [{ outputs, K: channels * SIDE * SIDE, levels }]
  })
}

/** Inputs of 255 where a channel's weights are positive and 0 elsewhere, and the reverse: one output each. */
async function countWrong({ outputs, K, levels }: Kernel): Promise<{ wrong: number; of: number }> {
  const channels = Math.min(CHANNELS, outputs)
  const inputs = new Uint8Array(2 * channels * K)
  for (let o = 0; o < channels; o++)
    for (let k = 0; k < K; k++) {
      const isPositive = (levels[o * K + k] as number) > 0
      inputs[2 * o * K + k] = isPositive ? 255 : 0
      inputs[(2 * o + 1) * K + k] = isPositive ? 0 : 255
    }
  const sums = Array.from({ length: 2 * channels * outputs }, (_, i) =>
    sumOf(inputs, Math.floor(i / outputs) * K, levels, (i % outputs) * K, K),
  )
  // the largest sum is 100 levels above the zero point
  const scale = Math.fround(Math.max(...sums.map(Math.abs)) / 100)
  const found = await convolve({ outputs, K, levels }, inputs, scale)
  const wrong = sums.filter((sum, i) => Math.abs((found[i] as number) - ZERO - sum / scale) > 0.501).length
  return { wrong, of: sums.length }
}

function sumOf(inputs: Uint8Array, at: number, levels: Int8Array, from: number, K: number): number {
  let sum = 0
  for (let k = 0; k < K; k++) sum += (inputs[at + k] as number) * (levels[from + k] as number)
  return sum
}

/** QLinearConv without padding: [N, I, 3, 3] gives [N, O, 1, 1]. */
async function convolve(
  { outputs, K, levels }: Kernel,
  inputs: Uint8Array,
  scale: number,
): Promise<Uint8Array> {
  const channels = K / (SIDE * SIDE)
  const session = await InferenceSession.create(model(outputs, channels, levels, scale), {
    intraOpNumThreads: 1,
  })
  try {
    const x = new Tensor('uint8', inputs, [inputs.length / K, channels, SIDE, SIDE])
    return output(await session.run({ x }), 'y').data as Uint8Array
  } finally {
    await session.release()
  }
}

function model(outputs: number, channels: number, levels: Int8Array, scale: number): Uint8Array {
  const value = (name: string, dims: readonly (number | string)[]) => ({
    name,
    type: {
      tensorType: {
        elemType: 2, // uint8
        shape: { dim: dims.map((dim) => (typeof dim === 'string' ? { dimParam: dim } : { dimValue: dim })) },
      },
    },
  })
  const constant = (name: string, dataType: number, dims: number[], data: ArrayBufferView) => ({
    ...{ name, dataType, dims },
    rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  })
  const graph = {
    name: 'convolution',
    input: [value('x', ['N', channels, SIDE, SIDE])],
    output: [value('y', ['N', outputs, 1, 1])],
    initializer: [
      constant('one', 1, [], Float32Array.of(1)),
      constant('none', 2, [], Uint8Array.of(0)),
      constant('w', 3, [outputs, channels, SIDE, SIDE], levels),
      constant('scales', 1, [outputs], new Float32Array(outputs).fill(1)),
      constant('zeros', 3, [outputs], new Int8Array(outputs)),
      constant('scale', 1, [], Float32Array.of(scale)),
      constant('zero', 2, [], Uint8Array.of(ZERO)),
    ],
    node: [
      {
        ...{ opType: 'QLinearConv', output: ['y'] },
        input: ['x', 'one', 'none', 'w', 'scales', 'zeros', 'scale', 'zero'],
      },
    ],
  }
  return onnx.ModelProto.encode({ irVersion: 10, opsetImport: [{ domain: '', version: 18 }], graph }).finish()
}
