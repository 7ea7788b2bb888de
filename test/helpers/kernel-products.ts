// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { readPrefillWeights } from '../../eval/runtime/prefill-weights.ts'
import { openModel } from '../../graph-tools/model.ts'
import { DATA_TYPES } from '../../graph-tools/onnx-types.ts'
import { contentOf } from '../../graph-tools/tensor-data.ts'
import { type Adding, type Levels, multiply, probeAdding } from '../../scripts/integer-products.ts'
import { blockWeightsOf, worstBlockProduct } from './block-products.ts'
import { type ConvolutionsTried, tryConvolutions } from './convolutions.ts'
import { readContent } from './graph-content.ts'
import { jobOf } from './kernel-job.ts'

/*
 * A process of its own: whether 8-bit products of a release's weights can be wrong with the kernels that this process has. For every
 * column the worst rows there are: 255 where its weights are positive and 0 elsewhere, the reverse, and 255 everywhere.
 */

export interface ProductsJob {
  readonly folder: string
  /** what says how the weights of a graph for prompts are made, or a graph with weights of int8: names of files */
  readonly files: readonly string[]
  /** largest levels that weights are stretched to, one after the other; null: as they are */
  readonly stretches: readonly (number | null)[]
  /** names of graphs with weights in blocks */
  readonly blocks: readonly string[]
  /** names of graphs with convolutions of int8 */
  readonly convolutions: readonly string[]
}

export interface Products {
  readonly adding: Adding
  /** by stretches */
  readonly tried: readonly Tried[]
  /** of each graph: how many weights in blocks, and how far their products are off at most */
  readonly blocks: readonly { readonly weights: number; readonly off: number }[]
  /** of each graph: how many convolutions, and outputs of their worst inputs that are not what the integers give */
  readonly convolutions: readonly ConvolutionsTried[]
}

/** Of all weights together. */
interface Tried {
  readonly weights: number
  /** largest level */
  readonly level: number
  /** sums of all weights that are not the exact integer, of how many, and how far they are off at most */
  readonly wrong: number
  readonly of: number
  readonly off: number
}

const ZERO = 128
/** Columns of a weight whose worst rows are tried. */
const COLUMNS = 24

const { folder, files, stretches, blocks, convolutions } = await jobOf<ProductsJob>()
const read = await Promise.all(
  files.map((file) => (file.endsWith('.json') ? readPrefillWeights(folder, file) : weightsOf(file))),
)
const tried: Tried[] = []
for (const stretched of stretches) tried.push(await tryAll(stretched))
const found: Products = {
  adding: await probeAdding(),
  tried,
  blocks: await Promise.all(blocks.map(tryBlocks)),
  convolutions: await Promise.all(convolutions.map((file) => tryConvolutions(join(folder, file)))),
}
console.log(JSON.stringify(found))

async function tryAll(stretched: number | null): Promise<Tried> {
  const found = { weights: 0, level: 0, wrong: 0, of: 0, off: 0 }
  for (const weight of read.flat()) {
    const levels = stretched === null ? weight.levels : stretch(weight.levels, stretched)
    found.weights++
    found.level = levels.reduce((most, level) => Math.max(most, Math.abs(level)), found.level)
    for (const fed of [true, false]) await tryWorst({ ...weight, levels }, fed, found)
  }
  return found
}

async function tryBlocks(file: string): Promise<Products['blocks'][number]> {
  const weights = blockWeightsOf(join(folder, file))
  let off = 0
  for (const weight of weights) off = Math.max(off, await worstBlockProduct(weight))
  return { weights: weights.length, off }
}

/** The matrices of int8 that a graph holds. */
function weightsOf(file: string): Levels[] {
  const model = openModel(join(folder, file))
  return model.graph.initializers.flatMap((tensor): Levels[] => {
    const [K = 0, N = 0] = tensor.dims
    if (DATA_TYPES[tensor.dataType]?.name !== 'int8' || tensor.dims.length !== 2) return []
    return [{ K, N, levels: new Int8Array(readContent(contentOf(model, tensor))) }]
  })
}

/** As 8-bit weights would be: the largest of each weight at the end of the range. */
function stretch(levels: Int8Array, to: number): Int8Array {
  const most = levels.reduce((most, level) => Math.max(most, Math.abs(level)), 1)
  return levels.map((level) => Math.round((level * to) / most))
}

type Count = { -readonly [Key in keyof Tried]: Tried[Key] }

async function tryWorst(weight: Levels, fed: boolean, found: Count): Promise<void> {
  const { K, N, levels } = weight
  const rows = worstRows(weight)
  // many rows and one are kernels of their own
  for (const some of [rows, rows.subarray(0, K)]) {
    const sums = await multiply(some, weight, ZERO, fed)
    for (let m = 0; m < some.length / K; m++)
      for (let n = 0; n < N; n++) {
        let wanted = 0
        for (let k = 0; k < K; k++)
          wanted += ((some[m * K + k] as number) - ZERO) * (levels[k * N + n] as number)
        const off = Math.abs(wanted - (sums[m * N + n] as number))
        found.of++
        if (off > 0) found.wrong++
        found.off = Math.max(found.off, off)
      }
  }
}

/** [rows, K] of the columns with the largest sums of levels. */
function worstRows({ K, N, levels }: Levels): Uint8Array {
  const sums = Array.from({ length: N }, (_, n) => {
    let sum = 0
    for (let k = 0; k < K; k++) sum += Math.abs(levels[k * N + n] as number)
    return { n, sum }
  })
  const worst = sums.sort((a, b) => b.sum - a.sum).slice(0, COLUMNS)
  const rows = new Uint8Array((2 * worst.length + 1) * K).fill(255)
  for (const [i, { n }] of worst.entries())
    for (let k = 0; k < K; k++) {
      const isPositive = (levels[k * N + n] as number) > 0
      rows[2 * i * K + k] = isPositive ? 255 : 0
      rows[(2 * i + 1) * K + k] = isPositive ? 0 : 255
    }
  return rows
}
