// SPDX-License-Identifier: Apache-2.0

import { readRange } from '../../graph-tools/files.ts'
import type { Model } from '../../graph-tools/model.ts'
import { contentOf } from '../../graph-tools/tensor-data.ts'
import { Failure } from '../shared/failure.ts'

/** Where a tensor's bytes are in the data file, or they themselves in base64 when they are in the graph. */
type Place = number | string

/** A weight [K, N] as MatMulNBits holds it. */
export interface PackedPlaces {
  readonly bits: 4 | 8
  readonly block_size: number
  /** [N, K / block_size, block_size * bits / 8] */
  readonly packed: Place
  /** float32 [N, K / block_size] */
  readonly scales: Place
  /** [N, ceil(K / block_size * bits / 8)] */
  readonly zero_points?: Place
}

/**
 * Where the parts of a quantized weight are.
 * @returns undefined when the graph has no weight of this name in blocks of 4-bit or 8-bit levels
 * @throws Failure when its bytes are not where a reader can find them
 */
export async function packedPlaces(model: Model, weight: string): Promise<PackedPlaces | undefined> {
  const { initializers } = model.graph
  const levels = initializers.find(({ name }) => name === `${weight}_Q4` || name === `${weight}_Q8`)
  const bits = levels?.name.endsWith('8') ? 8 : 4
  const [, , bytes = 0] = levels?.dims ?? []
  if (levels === undefined) return undefined
  const [packed, scales, zeroPoints] = await Promise.all(
    [levels.name, `${weight}_scales`, `${weight}_zero_points`].map((name) => placeOf(model, name)),
  )
  if (packed === undefined || scales === undefined) return undefined
  return {
    ...{ bits, block_size: (bytes * 8) / bits, packed, scales },
    ...(zeroPoints !== undefined && { zero_points: zeroPoints }),
  }
}

async function placeOf(model: Model, name: string): Promise<Place | undefined> {
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
