// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { damaged, readJson } from './json-file.ts'
import { join } from './platform/file-paths.ts'
import { type OpenFile, openFile } from './platform/random-access.ts'
import { checkedAs, list, type Parsed, shape, text, whole } from './schema.ts'
import { SpeechError } from './speech-error.ts'
import { type Matrix, requireFit, widen } from './widen.ts'

/** Sizes of the largest weights of published models have five digits. */
const size = whole(1, 1 << 20)
/** An offset in the data file, or few bytes in base64. */
const place = v.union([whole(0, Number.MAX_SAFE_INTEGER), text], 'an offset, or bytes in base64')

const bitsOfLevel = v.picklist([4, 8], '4 or 8')

/** One weight [K, N] as MatMulNBits holds it: [N, K / block] blocks of levels, of 4 bits two in a byte, the lower one first. */
const WEIGHT = shape({
  name: text,
  K: size,
  N: size,
  bits: v.exactOptional(bitsOfLevel),
  /** of this weight; {@link RECIPE} has the one of all others */
  block_size: v.exactOptional(size),
  packed: place,
  scales: place,
  zero_points: v.exactOptional(place),
})

/** How to make the prefill graph's weights from those of the steps: NAME.VARIANT.json beside it. */
const RECIPE = shape({
  data: v.pipe(text, v.regex(/^[^/\\\0]+$/, 'the name of a file beside it')),
  block_size: v.exactOptional(size),
  weights: list(WEIGHT),
})

type Place = v.InferOutput<typeof place>
/** A weight of the steps, as the recipe of the prefill graph describes it. */
export type PackedWeight = Parsed<typeof WEIGHT>

/** The prefill graph's inputs {name}.int8 and {name}.scale. */
export interface WidenedWeight {
  readonly name: string
  readonly K: number
  readonly N: number
  /** [K, N] */
  readonly levels: Int8Array
  /** [N] */
  readonly columns: Float32Array
}

/** A weight's size, and where it is. */
type PlacedWeight = PackedWeight & { readonly block: number }

/** What the prefill graph's weights are made of. */
export interface PrefillSource {
  /** the file that holds the weights of the steps */
  readonly path: string
  readonly weights: readonly PlacedWeight[]
}

/**
 * Read how the prefill graph's weights are made from those of the steps.
 * @param recipeFile in `folder`
 * @throws SpeechError when it is missing, or a key is not right
 */
export async function readPrefillRecipe(folder: string, recipeFile: string): Promise<PrefillSource> {
  const file = join(folder, recipeFile)
  const { data, block_size, weights } = checkedAs(RECIPE, await readJson(file), { file }, damaged)
  return {
    path: join(folder, data),
    weights: weights.map((weight) => {
      const block = weight.block_size ?? block_size
      if (block === undefined) throw damaged(`${file} has no block_size for ${weight.name}.`)
      return { ...weight, block }
    }),
  }
}

/**
 * The prefill graph's weights, one after the other. They take a byte each: shipping them would add a third to a release's
 * size.
 * @throws SpeechError when the data file is missing, or holds fewer bytes than the recipe says
 */
export async function* widenedWeights({ path, weights }: PrefillSource): AsyncGenerator<WidenedWeight> {
  const file = openData(path)
  try {
    for (const weight of weights) {
      const { name, K, N } = weight
      yield { name, K, N, ...widen(readMatrix(file, path, weight)) }
    }
  } finally {
    file.close()
  }
}

/** As {@link widenedWeights}, all at once. */
export async function readPrefillWeights(folder: string, recipeFile: string): Promise<WidenedWeight[]> {
  const weights: WidenedWeight[] = []
  for await (const weight of widenedWeights(await readPrefillRecipe(folder, recipeFile))) weights.push(weight)
  return weights
}

function openData(path: string): OpenFile {
  try {
    return openFile(path)
  } catch (error) {
    throw new SpeechError(`${path} cannot be read: ${(error as Error).message}`)
  }
}

function readMatrix(
  file: OpenFile,
  path: string,
  { name, K, N, block, bits = 4, packed, scales, zero_points: zeros }: PlacedWeight,
): Matrix {
  requireFit(K, N, block)
  const { size: end } = file
  const read = (at: Place, length: number) => {
    if (typeof at === 'string') return decoded(at, length, name)
    const bytes = at + length <= end ? new Uint8Array(length) : undefined // what is not there takes no memory
    if (bytes && file.read(bytes, at) === length) return bytes
    throw damaged(`${path} ends at byte ${end}, wanted ${at + length}.`)
  }
  const blocks = K / block
  const zeroBytes = N * Math.ceil((blocks * bits) / 8)
  return {
    ...{ K, N, bits, block },
    packed: read(packed, (N * K * bits) / 8),
    scales: new Float32Array(read(scales, 4 * N * blocks).buffer),
    zeros:
      zeros === undefined ? new Uint8Array(zeroBytes).fill(bits === 4 ? 0x88 : 0x80) : read(zeros, zeroBytes),
  }
}

function decoded(base64: string, length: number, name: string): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  if (bytes.length === length) return bytes
  throw damaged(`The recipe of ${name} has ${bytes.length} bytes in base64, wanted ${length}.`)
}
