// SPDX-License-Identifier: Apache-2.0

import { dataName } from './data-name.ts'
import type { Model } from './model.ts'
import { type Placement, type PlaceOptions, placeWeights } from './place.ts'
import { byteLength } from './tensor-data.ts'

/** What moves, and where it goes. */
export interface ExternalizeOptions extends PlaceOptions {
  /** the data file, relative to the folder */
  readonly location: string
  /** tensors of fewer bytes stay inside */
  readonly threshold: number
}

/**
 * Move the weights that are inside protos, in raw_data or typed fields, to a data file. What is outside stays.
 * @throws GraphError when a tensor's bytes cannot be had, or {@link dataName} refuses the location
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export async function externalize(models: readonly Model[], options: ExternalizeOptions): Promise<Placement> {
  const { threshold, folder } = options
  const location = dataName(options.location, models, folder)
  return placeWeights(
    models,
    (tensor) =>
      tensor.location !== undefined || (byteLength(tensor) ?? 0) < threshold ? 'stay' : { location },
    options,
  )
}

/**
 * Move every external tensor into the proto as raw_data.
 * @throws GraphError when the result would pass the 2 GiB limit of protobuf, or a tensor's bytes cannot be had
 * @see https://protobuf.dev/programming-guides/proto-limits/
 */
export function inlineWeights(model: Model, folder = model.folder): Promise<Placement> {
  return placeWeights([model], () => 'inside', { folder })
}
