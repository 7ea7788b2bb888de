import { isAbsolute, join, normalize, sep } from 'node:path'
import { GraphError } from './graph-error.ts'
import type { Model, Tensor } from './model.ts'
import { FIELD } from './schema.ts'
import type { Content, Edit, FileRange } from './splice.ts'
import { encodeField, encodeVarintField } from './wire.ts'

/** The runtime can map external data that starts on a page (onnx.proto, TensorProto.external_data). */
export const ALIGNMENT = 4096
const EXTERNAL = 1

/**
 * Where a tensor's bytes are: a range of a file beside the model, or inside the model itself.
 * @param folder the model's folder, against which `location` is resolved
 * @throws GraphError when the location leaves the folder or a number is malformed
 */
export function contentOf(model: Model, tensor: Tensor, folder: string): Content | undefined {
  if (tensor.external.size > 0) return externalRange(tensor, folder)
  if (tensor.rawData === undefined) return undefined
  return model.bytes.subarray(tensor.rawData.start, tensor.rawData.end)
}

/** The file range of a tensor with external data. Units: bytes. */
export function externalRange(tensor: Tensor, folder: string): FileRange {
  const location = tensor.external.get('location') ?? ''
  const path = normalize(location)
  if (location === '' || isAbsolute(path) || path.split(sep).includes('..')) {
    throw new GraphError(`Tensor ${tensor.name}: the location "${location}" is outside the model's folder.`)
  }
  const start = byteCount(tensor, 'offset', '0')
  const length = byteCount(tensor, 'length', String(denseLength(tensor)))
  return { path: join(folder, path), start, end: start + length }
}

/** Edits that make a tensor external: `location`, `offset` and `length` replace whatever held its bytes. */
export function moveOut(tensor: Tensor, location: string, offset: number, length: number): Edit[] {
  const entry = (key: string, value: string) =>
    encodeField(
      FIELD.tensor.externalData,
      Buffer.concat([encodeField(FIELD.entry.key, key), encodeField(FIELD.entry.value, value)]),
    )
  const content = Buffer.concat([
    entry('location', location),
    entry('offset', String(offset)),
    entry('length', String(length)),
    encodeVarintField(FIELD.tensor.dataLocation, EXTERNAL),
  ])
  return replacePlacement(tensor, [content])
}

/** Edits that put `bytes` into the tensor as raw_data. */
export function moveIn(tensor: Tensor, bytes: FileRange): Edit[] {
  const length = bytes.end - bytes.start
  const header = encodeField(FIELD.tensor.rawData, new Uint8Array(0)).subarray(0, 1)
  return replacePlacement(tensor, [header, lengthPrefix(length), bytes])
}

function lengthPrefix(length: number): Uint8Array {
  return encodeVarintField(0, length).subarray(1)
}

/** Drop every field that says where the bytes are and append `content` to the tensor. */
function replacePlacement(tensor: Tensor, content: readonly Content[]): Edit[] {
  const region = tensor.region
  const gone = tensor.rawData === undefined ? tensor.placement : [...tensor.placement, tensor.rawData]
  return [
    ...gone.map((field) => ({ region, start: field.tagStart, end: field.end, content: [] })),
    { region, start: region.end, end: region.end, content },
  ]
}

function byteCount(tensor: Tensor, key: string, otherwise: string): number {
  const value = tensor.external.get(key) ?? otherwise
  const bytes = Number(value)
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(bytes)) {
    throw new GraphError(
      `Tensor ${tensor.name}: external ${key} is "${value}", wanted a byte count below 2^53.`,
    )
  }
  return bytes
}

const ITEM_BYTES: Readonly<Record<number, number>> = {
  1: 4,
  2: 1,
  3: 1,
  4: 2,
  5: 2,
  6: 4,
  7: 8,
  9: 1,
  10: 2,
  11: 8,
  16: 2,
}

function denseLength(tensor: Tensor): number {
  const item = ITEM_BYTES[tensor.dataType]
  if (item === undefined)
    throw new GraphError(`Tensor ${tensor.name}: external data of type ${tensor.dataType} has no length.`)
  return tensor.dims.reduce((product, size) => product * size, item)
}
