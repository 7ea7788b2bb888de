import type { Model } from './model.ts'
import type { Edit } from './splice.ts'

/**
 * What torch's exporter writes about the machine and the Python code that exported: `pkg.torch.onnx.stack_trace`,
 * `fx_node`, `class_hierarchy`, `name_scopes`, `input_names`, `original_node_name`, and `namespace`.
 */
const TRACE = /^(pkg\.torch\.(onnx|export)\..*|namespace|pkg\.onnxscript\..*)$/

/**
 * Edits that remove the exporter's metadata_props, wherever they hang; other metadata stays.
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto metadata_props of ModelProto, GraphProto, NodeProto ...
 */
export function stripTraces(model: Model): Edit[] {
  return model.metadata
    .filter(({ key }) => TRACE.test(key))
    .map(({ region, field }) => ({ region, start: field.tagStart, end: field.end, content: [] }))
}
