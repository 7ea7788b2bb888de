// SPDX-License-Identifier: Apache-2.0

import { InferenceSession, Tensor } from '../../eval/runtime/onnxruntime.ts'
import { floats, output } from '../../eval/runtime/session.ts'
import { type Model, type Node, openModel } from '../../graph-tools/model.ts'
import { contentOf } from '../../graph-tools/tensor-data.ts'
import { readContent } from './graph-content.ts'
import { onnx } from './onnx.ts'

/* Products of weights in blocks (MatMulNBits), as onnxruntime computes them in this process. */

const ATTRIBUTES = ['K', 'N', 'bits', 'block_size', 'accuracy_level'] as const
const [FLOAT32, UINT8, INT] = [1, 2, 2]
const WEIGHT_INPUTS = 1
/** Columns of a weight whose worst rows are tried. */
const COLUMNS = 8

/** A weight in blocks, as its graph holds it. */
interface BlockWeight {
  readonly attributes: Readonly<Record<(typeof ATTRIBUTES)[number], number>>
  /** levels, scales, and zero points where there are some */
  readonly inputs: readonly Uint8Array[]
}

/** All weights in blocks of a graph. */
export function blockWeightsOf(path: string): BlockWeight[] {
  const model = openModel(path)
  return model.graph.nodes
    .filter(({ opType }) => opType === 'MatMulNBits')
    .map((node) => ({ attributes: attributesOf(node), inputs: inputsOf(model, node) }))
}

function attributesOf({ attributes }: Node): BlockWeight['attributes'] {
  const value = (name: string) => Number(attributes.find((attribute) => attribute.name === name)?.i ?? 0)
  const [K = 0, N = 0, bits = 0, block_size = 0, accuracy_level = 0] = ATTRIBUTES.map(value)
  return { K, N, bits, block_size, accuracy_level }
}

function inputsOf(model: Model, node: Node): Uint8Array[] {
  return node.inputs
    .slice(WEIGHT_INPUTS)
    .filter((name) => name !== '')
    .map((name) => {
      const tensor = model.graph.initializers.find((one) => one.name === name)
      if (tensor === undefined) throw new Error(`${name} is no weight of the graph.`)
      return readContent(contentOf(model, tensor))
    })
}

/**
 * How far products with the worst rows are off: 1 where a column's weights are positive and -1 elsewhere, the reverse, and 1
 * everywhere. Rows of 1 and -1 are rounded to 8 bits without loss.
 * @returns the largest difference to the exact sum, as a share of the sum of what is added
 */
export async function worstBlockProduct(weight: BlockWeight): Promise<number> {
  const { K, N } = weight.attributes
  const values = dequantized(weight)
  const rows = worstRows(values, K, N)
  let off = 0
  // many rows and one are kernels of their own
  for (const some of [rows, rows.subarray(0, K)]) {
    const sums = await multiply(some, weight)
    for (const [at, sum] of sums.entries()) {
      const [row, column] = [Math.floor(at / N) * K, (at % N) * K]
      let [wanted, added] = [0, 0]
      for (let k = 0; k < K; k++) {
        const product = (some[row + k] as number) * (values[column + k] as number)
        wanted += product
        added += Math.abs(product)
      }
      off = Math.max(off, Math.abs(sum - wanted) / added)
    }
  }
  return off
}

/** [N, K] */
function dequantized({ attributes, inputs }: BlockWeight): Float64Array {
  const { K, N, bits, block_size: block } = attributes
  const [packed = new Uint8Array(), scaleBytes = new Uint8Array(), zeros] = inputs
  const scales = new Float32Array(Uint8Array.from(scaleBytes).buffer)
  const blocks = K / block
  const zeroBytes = Math.ceil((blocks * bits) / 8)
  const levelOf = (bytes: Uint8Array, start: number, i: number) => {
    const byte = bytes[start + ((i * bits) >> 3)] as number
    return bits === 8 ? byte : (byte >> (4 * (i & 1))) & 15
  }
  return Float64Array.from({ length: N * K }, (_, at) => {
    const [n, k] = [Math.floor(at / K), at % K]
    const i = Math.floor(k / block)
    const zero = zeros ? levelOf(zeros, n * zeroBytes, i) : 2 ** (bits - 1)
    return (levelOf(packed, (n * K * bits) >> 3, k) - zero) * (scales[n * blocks + i] as number)
  })
}

/** [rows, K] of columns from all over the weight. */
function worstRows(values: Float64Array, K: number, N: number): Float32Array {
  const columns = Array.from({ length: COLUMNS }, (_, i) => Math.floor((i * N) / COLUMNS))
  const rows = columns.flatMap((n) => {
    const signs = Array.from(values.subarray(n * K, (n + 1) * K), (value) => (value > 0 ? 1 : -1))
    return [signs, signs.map((sign) => -sign)]
  })
  return Float32Array.from([...rows.flat(), ...new Array<number>(K).fill(1)])
}

async function multiply(rows: Float32Array, weight: BlockWeight): Promise<Float32Array> {
  const { K } = weight.attributes
  const session = await InferenceSession.create(modelOf(weight), { intraOpNumThreads: 1 })
  try {
    return floats(output(await session.run({ x: new Tensor('float32', rows, [rows.length / K, K]) }), 'y'))
  } finally {
    await session.release()
  }
}

function modelOf({ attributes, inputs }: BlockWeight): Uint8Array {
  const { K, N, bits, block_size: block } = attributes
  const value = (name: string, width: number) => ({
    name,
    type: { tensorType: { elemType: FLOAT32, shape: { dim: [{ dimParam: 'M' }, { dimValue: width }] } } },
  })
  const [levels = new Uint8Array(), scales = new Uint8Array(), zeros] = inputs
  const graph = {
    name: 'product',
    input: [value('x', K)],
    output: [value('y', N)],
    initializer: [
      {
        ...{ name: 'levels', dataType: UINT8, rawData: levels },
        dims: [N, K / block, (block * bits) / 8],
      },
      { name: 'scales', dataType: FLOAT32, dims: [scales.length / 4], rawData: scales },
      ...(zeros ? [{ name: 'zeros', dataType: UINT8, dims: [zeros.length], rawData: zeros }] : []),
    ],
    node: [
      {
        ...{ opType: 'MatMulNBits', domain: 'com.microsoft', output: ['y'] },
        input: ['x', 'levels', 'scales', ...(zeros ? ['zeros'] : [])],
        attribute: ATTRIBUTES.map((name) => ({ name, i: attributes[name], type: INT })),
      },
    ],
  }
  const opsetImport = [
    { domain: '', version: 18 },
    { domain: 'com.microsoft', version: 1 },
  ]
  return onnx.ModelProto.encode({ irVersion: 10, opsetImport, graph }).finish()
}
