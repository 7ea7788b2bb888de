// SPDX-License-Identifier: Apache-2.0

/* What other programs import as `qwen3-asr-onnx/graph-tools`. The rest of this folder may change at any time. */

// biome-ignore-start lint/performance/noBarrelFile: the package has one entry for these tools
export { type Rewrite, type RewriteOptions, type Rewritten, rewriteInPlace } from './apply.ts'
export type { Content } from './bytes.ts'
export { recover } from './commit.ts'
export { type Difference, diffModels } from './diff.ts'
export { type ExternalizeOptions, externalize, inlineWeights } from './externalize.ts'
export { graphFiles } from './folder.ts'
export { GraphError } from './graph-error.ts'
export { type Inspection, inspectModel, type SharedData, sharedData } from './inspect.ts'
export {
  type Attribute,
  type Graph,
  type MetadataEntry,
  type Model,
  type Node,
  openModel,
  parseModel,
  type Tensor,
  type Value,
} from './model.ts'
export type { Placement, PlaceOptions } from './place.ts'
export { type ShareOptions, shareWeights } from './share.ts'
export { applyEdits, type Edit, editedBytes, type Region } from './splice.ts'
export { type AllowzeroReport, stripAllowzero } from './strip-allowzero.ts'
export { stripTraces } from './strip-traces.ts'
export { contentOf } from './tensor-data.ts'
export { type Tie, type TieOptions, tieHeads } from './tie.ts'
export { type VerifyReport, verifyFolder } from './verify.ts'
// biome-ignore-end lint/performance/noBarrelFile: as above
