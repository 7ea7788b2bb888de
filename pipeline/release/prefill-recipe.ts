import { join } from 'node:path'
import { decoderData, graphFile, LAYOUTS, PREFILL } from '../../eval/runtime/graphs.ts'
import type { PackedWeight } from '../../eval/runtime/prefill-weights.ts'
import { readRange } from '../../graph-tools/files.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import { contentOf } from '../../graph-tools/tensor-data.ts'
import type { Recipe } from '../recipe-schema.ts'
import { blockSizeOf } from '../recipes.ts'
import { Failure } from '../shared/failure.ts'

const ABOUT =
  'How a reader makes the weight inputs of the graph beside this file from the int4 weights. Each weight is a matrix [K, N] in ' +
  'blocks of block_size along K; at the offsets of data stand: packed, [N, K / block_size, block_size / 2] bytes of two ' +
  'levels q of 0 to 15, the lower half first; scales, float32 [N, K / block_size]; zero_points, [N, ceil(K / block_size / 2)] ' +
  'bytes of two, the lower half first, or 8 where there are none. What takes few bytes stands here in base64 instead of an offset. With w = (q - zero_point) * scale, and for each n the ' +
  'largest possible |w| of its blocks, max(zero_point, 15 - zero_point) * |scale|: {name}.scale[n] = largest / 64, and ' +
  '{name}.int8[k, n] = round(w[k, n] / {name}.scale[n]). Run the graph on all tokens of a prompt but the last, with past_lengths 0 ' +
  'and pasts of zeros, C = 1; its outputs are the past with which decoder takes the last token, and every later one.'

/**
 * How the prefill graph's weights are made, with the places of the int4 ones in the data file.
 * @throws Failure when a weight is not there, or not in the data file
 */
export async function prefillWeightsOf(folder: string, variant: string, recipe: Recipe): Promise<object> {
  const blockSize = blockSizeOf(recipe)
  const file = graphFile(LAYOUTS.fused[0], variant)
  const decoder = openModel(join(folder, file))
  const { graph } = openModel(join(folder, graphFile(PREFILL, variant)))
  const weights: PackedWeight[] = []
  for (const { name, shape } of graph.inputs) {
    const weight = /^(.*)\.int8$/.exec(name)?.[1]
    if (weight === undefined) continue
    const [K = 0, N = 0] = (shape ?? []).map(Number)
    if (K % blockSize !== 0 || N % 4 !== 0) throw unfit(weight, K, N, blockSize)
    const [packed, scales, zeroPoints] = await Promise.all(
      ['Q4', 'scales', 'zero_points'].map((part) => placeOf(decoder, `${weight}_${part}`)),
    )
    if (packed === undefined || scales === undefined)
      throw new Failure(
        `${file} has no 4-bit weight ${weight}, which the prefill graph is fed.`,
        "The recipe of a variant with prompts: 'int8' wants 4-bit weights for attention and mlp.",
      )
    requireBlocks(decoder, `${weight}_Q4`, blockSize)
    weights.push({
      ...{ name: weight, K, N, packed, scales },
      ...(zeroPoints !== undefined && { zero_points: zeroPoints }),
    })
  }
  return {
    about: ABOUT,
    graph: graphFile(PREFILL, variant),
    data: decoderData(variant),
    block_size: blockSize,
    weights,
  }
}

/** The file has one block size for all weights. */
function requireBlocks({ graph }: Model, name: string, wanted: number): void {
  const [, , half = 0] = graph.initializers.find((initializer) => initializer.name === name)?.dims ?? []
  if (half * 2 === wanted) return
  throw new Failure(
    `${name} has blocks of ${half * 2} weights, wanted ${wanted} as the last rule of the recipe says.`,
    "With prompts: 'int8' all 4-bit weights of attention and mlp want one block size.",
  )
}

/** Where an initializer's bytes are in the data file, or they themselves when they are in the graph. */
async function placeOf(model: Model, name: string): Promise<number | string | undefined> {
  const tensor = model.graph.initializers.find((initializer) => initializer.name === name)
  if (!tensor) return undefined
  if (tensor.external.size > 0) return Number(tensor.external.get('offset') ?? 0)
  const content = contentOf(model, tensor)
  if (content === undefined) return undefined
  if (content instanceof Uint8Array) return Buffer.from(content).toString('base64')
  if (!('path' in content)) throw new Failure(`${name} is stored in typed fields, wanted raw bytes.`)
  const chunks: Uint8Array[] = []
  for await (const chunk of readRange(content)) chunks.push(Uint8Array.from(chunk))
  return Buffer.concat(chunks).toString('base64')
}

function unfit(weight: string, K: number, N: number, blockSize: number): Failure {
  return new Failure(
    `${weight} is [${K}, ${N}], wanted a multiple of ${blockSize} by a multiple of 4 for prompts with 8-bit products.`,
    'Choose another --block-size, or add --no-prefill-int8.',
  )
}
