import { externalRange, moveIn } from './external-data.ts'
import { GraphError } from './graph-error.ts'
import type { Model } from './model.ts'
import { applyEdits, contentLength, type Edit } from './splice.ts'

/** Protobuf parsers refuse messages of 2 GiB and more (protobuf.dev, "Proto Limits"). */
export const PROTO_LIMIT = 2 ** 31 - 1

/**
 * Edits that move every external tensor into the proto as raw_data.
 * @param folder the model's folder
 * @throws GraphError when the result would pass the 2 GiB limit of protobuf
 */
export function inlineWeights(model: Model, folder: string): Edit[] {
  const edits = model.bodies
    .flatMap((body) => body.initializers)
    .filter((tensor) => tensor.external.size > 0)
    .flatMap((tensor) => moveIn(tensor, externalRange(tensor, folder)))
  const bytes = contentLength(applyEdits(model.bytes, edits))
  if (bytes > PROTO_LIMIT) {
    throw new GraphError(
      `With its weights inside the model would have ${bytes} bytes; protobuf allows ${PROTO_LIMIT}.`,
      'Keep the weights in a data file.',
    )
  }
  return edits
}
