// SPDX-License-Identifier: Apache-2.0

import type { Model } from './model.ts'
import type { Edit } from './splice.ts'

/**
 * What torch's exporter writes about the machine and the Python code that exported: `pkg.torch.onnx.stack_trace`,
 * `fx_node`, `class_hierarchy`, `name_scopes`, `input_names`, `original_node_name`.
 */
const TRACE = /^pkg\.(torch\.(onnx|export)|onnxscript)\./
/** Nodes that torch has written have an entry of this name beside the others; elsewhere it is somebody else's. */
const NAMESPACE = 'namespace'

/**
 * Edits that remove the exporter's metadata_props, wherever they hang; other metadata stays.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto metadata_props of ModelProto, GraphProto, NodeProto ...
 */
export function stripTraces({ metadata }: Model): Edit[] {
  const traces = metadata.filter(({ key }) => TRACE.test(key))
  const traced = new Set(traces.filter(({ owner }) => owner === 'node').map(({ region }) => region))
  const namespaces = metadata.filter(({ key, region }) => key === NAMESPACE && traced.has(region))
  return [...traces, ...namespaces].map(({ region, field }) => ({
    region,
    start: field.tagStart,
    end: field.end,
    content: [],
  }))
}
