// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { decoderData, FAMILIES, type Family, graphFile } from '../../eval/runtime/graphs.ts'
import type { PackedWeight } from '../../eval/runtime/prefill-weights.ts'
import { openModel } from '../../graph-tools/model.ts'
import { Failure } from '../shared/failure.ts'
import { packedPlaces } from './packed-weights.ts'

const ABOUT =
  'How a reader makes the weight inputs of the graph beside this file from the weights of the steps. Each weight is a matrix ' +
  '[K, N] in blocks of block_size along K, of bits a level: both stand with the weight, or once for all, and bits are 4 where ' +
  'they stand nowhere. At the offsets of data stand: packed, [N, K / block_size, block_size * bits / 8] bytes of levels q, of 4 ' +
  'bits two in a byte, the lower half first; scales, float32 [N, K / block_size]; zero_points, for each n one for each block, of 4 ' +
  'bits two in a byte, each n in whole bytes, or 8 (4 bits) and 128 (8 bits) where there are none. What takes few bytes stands here ' +
  'in base64 instead of an offset. With w = (q - zero_point) * scale, and for each n the largest possible |w| of its blocks, ' +
  'max(zero_point, 2 ** bits - 1 - zero_point) * |scale|: {name}.scale[n] = largest / 64, and ' +
  '{name}.int8[k, n] = round(w[k, n] / {name}.scale[n]). '

/** What to do with the graph. */
const USE: Readonly<Record<Family, string>> = {
  asr:
    'Run the graph on all tokens of a prompt but the last, with past_lengths 0 ' +
    'and pasts of zeros, C = 1; its outputs are the past with which decoder takes the last token, and every later one.',
  aligner: 'The graph is run as aligner is, and gives the same logits, faster.',
}

/**
 * How the prefill graph's weights are made, with the places of those of the steps in the data file.
 * @throws Failure when a weight is not there, or not in the data file
 */
export async function prefillWeightsOf(
  folder: string,
  variant: string,
  family: Family = 'asr',
): Promise<object> {
  const { main, prompts } = FAMILIES[family]
  const file = graphFile(main, variant)
  const decoder = openModel(join(folder, file))
  const { graph } = openModel(join(folder, graphFile(prompts, variant)))
  const weights: (PackedWeight & { readonly block_size: number })[] = []
  for (const { name, shape } of graph.inputs) {
    const weight = /^(.*)\.int8$/.exec(name)?.[1]
    if (weight === undefined) continue
    const [K = 0, N = 0] = (shape ?? []).map(Number)
    const places = await packedPlaces(decoder, weight)
    if (places === undefined)
      throw new Failure(
        `${file} has no 4-bit or 8-bit weight ${weight}, which the prefill graph is fed.`,
        "A variant with prompts: 'int8' has such weights in attention and mlp, or FP32's.",
      )
    if (K % places.block_size !== 0 || N % 4 !== 0) throw unfit(weight, K, N, places.block_size)
    weights.push({ name: weight, K, N, ...places })
  }
  return {
    about: ABOUT + USE[family],
    graph: graphFile(prompts, variant),
    data: decoderData(variant, family),
    ...withSizes(weights),
  }
}

/** Older versions read 4 bits and one block size for all: what has that form is written in it. */
function withSizes(weights: readonly (PackedWeight & { readonly block_size: number })[]): object {
  const [size, ...others] = new Set(weights.map(({ block_size }) => block_size))
  if (size === undefined || others.length > 0 || weights.some(({ bits }) => bits !== 4)) return { weights }
  return { block_size: size, weights: weights.map(({ bits: _bits, block_size: _size, ...weight }) => weight) }
}

function unfit(weight: string, K: number, N: number, blockSize: number): Failure {
  return new Failure(
    `${weight} is [${K}, ${N}], wanted a multiple of ${blockSize} by a multiple of 4 for prompts with 8-bit products.`,
    'Choose another --block-size, or add --no-prefill-int8.',
  )
}
