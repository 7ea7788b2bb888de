// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { decoderData, graphFile, LAYOUTS } from '../../eval/runtime/graphs.ts'
import type { QuantizedTable } from '../../eval/runtime/quantized-embeddings.ts'
import { openModel } from '../../graph-tools/model.ts'
import { Failure } from '../shared/failure.ts'
import { packedPlaces } from './packed-weights.ts'

const HEAD = 'lm_head'
const ABOUT =
  'The embedding table of this variant, [V, H]: its rows are the columns of the output layer, which data holds anyway. At the ' +
  'offsets of data stand: packed, [V, H / block_size, block_size * bits / 8] bytes of levels q, of 4 bits two in a byte, the ' +
  'lower half first; scales, float32 [V, H / block_size]; zero_points, for each row one for each block, of 4 bits two in a byte, ' +
  'each row in whole bytes, or 8 (4 bits) and 128 (8 bits) where there are none. What takes few bytes stands here in base64 ' +
  'instead of an offset. The embedding of a token is row[h] = (q - zero_point) * scale, of the block h / block_size.'

/**
 * How a reader finds the embeddings of a variant without embed_tokens.bin, in its output layer.
 * @throws Failure when that is not in blocks of 4 or 8 bits
 */
export async function embeddingTableOf(
  folder: string,
  variant: string,
): Promise<QuantizedTable & { readonly about: string }> {
  const file = graphFile(LAYOUTS.fused[0], variant)
  const model = openModel(join(folder, file))
  const places = await packedPlaces(model, HEAD)
  const levels = model.graph.initializers.find(({ name }) => name === `${HEAD}_Q${places?.bits}`)
  const [vocab, blocks] = levels?.dims ?? []
  if (places === undefined || vocab === undefined || blocks === undefined)
    throw new Failure(
      `${file} has no 4-bit or 8-bit weight ${HEAD}, which would be the embedding table.`,
      'A recipe with embeddings: lm_head has such a format for lm_head.',
    )
  const { block_size: block, ...rest } = places
  return {
    ...{ about: ABOUT, data: decoderData(variant), block_size: block, shape: [vocab, blocks * block] },
    ...rest,
  }
}
