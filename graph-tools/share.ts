// SPDX-License-Identifier: Apache-2.0

import { dataName } from './data-name.ts'
import type { Model, Tensor } from './model.ts'
import { type Place, type Placement, type PlaceOptions, placeWeights } from './place.ts'
import { byteLength } from './tensor-data.ts'

/* One data file for the weights of several graphs. */

/** Tensors of fewer bytes stay inside the graphs unless another minimum is given. */
export const SHARE_MINIMUM = 256

/** What is shared, and where it goes. */
export interface ShareOptions extends PlaceOptions {
  /** the data file, relative to the folder */
  readonly location: string
  /** tensors below this many bytes are inside the graphs afterwards */
  readonly minimum: number
  /** tensors whose bytes are in these data files stay there */
  readonly keep?: readonly string[]
  /** tensors that other edits take care of */
  readonly except?: ReadonlySet<Tensor>
}

/**
 * Put the weights of any number of graphs into one data file, each different content once; what only one graph has goes
 * there too. Equal is decided by comparing bytes, and the layout follows the order of `models`. Small tensors that are
 * outside come in, so that no data file stays for them alone.
 * @throws GraphError when a tensor's bytes cannot be had, or {@link dataName} refuses the location
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export async function shareWeights(models: readonly Model[], options: ShareOptions): Promise<Placement> {
  const { minimum, keep = [], except } = options
  const location = dataName(options.location, models, options.folder)
  const choose = (tensor: Tensor): Place => {
    if (except?.has(tensor)) return 'gone'
    if (tensor.location !== undefined && keep.includes(tensor.location)) return 'stay'
    return (byteLength(tensor) ?? 0) < minimum ? 'inside' : { location }
  }
  return placeWeights(models, choose, options)
}
