// SPDX-License-Identifier: Apache-2.0

import { Bytes, type Content } from './bytes.ts'
import { storedRange } from './external-data.ts'
import { GraphError } from './graph-error.ts'
import type { Model, Tensor } from './model.ts'
import { DATA_TYPE, DATA_TYPES, type DataType, dataTypeName, FIELD } from './onnx-types.ts'
import { FIXED32, FIXED64, type Field, fields, LENGTH, readVarint, VARINT } from './wire.ts'

/** Bytes of typed fields that are read at a time. */
const BLOCK = 1 << 20

/**
 * A tensor's bytes as raw_data has them (little endian, row-major), wherever they are: a range of a file, the proto, or
 * typed fields, which are converted while they are read.
 * @returns undefined for tensors of strings, which have no such form, and for those with no bytes at all
 * @throws GraphError when the bytes are not those of the tensor's type and shape, outside its folder, or missing
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto TensorProto
 */
export function contentOf(model: Model, tensor: Tensor): Content | undefined {
  if (tensor.dataType === DATA_TYPE.string) return undefined
  if (byteLength(tensor) === 0 && isUnspelled(tensor)) return new Uint8Array(0)
  if (tensor.location !== undefined) return storedRange(tensor, model.folder, byteLength(tensor))
  if (tensor.rawData !== undefined) {
    const { start, end } = tensor.rawData
    refuseLength(tensor, end - start)
    return model.bytes.slice(start, end)
  }
  return tensor.typedData.length === 0 ? undefined : typedContent(model.bytes, tensor)
}

/**
 * Bytes that a tensor of this type and shape has in raw_data; several elements share a byte in 4- and 2-bit types.
 * @returns undefined for strings and types that this toolkit does not support
 * @throws GraphError when it is beyond 2^53
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto TensorProto.DataType
 */
export function byteLength(tensor: Tensor): number | undefined {
  const bits = DATA_TYPES[tensor.dataType]?.bits
  if (!bits) return undefined
  const total = tensor.dims.reduce((product, size) => product * size, bits)
  if (!Number.isSafeInteger(total)) {
    throw new GraphError(`Tensor ${tensor.name} of [${tensor.dims.join(', ')}] is larger than 2^53 bits.`)
  }
  return Math.ceil(total / 8)
}

/**
 * The values of a small INT64 tensor.
 * @returns undefined when it is of another type, longer than a shape can be, or has no bytes
 * @throws GraphError as {@link contentOf}
 */
export function shapeValues(model: Model, tensor: Tensor): bigint[] | undefined {
  const length = byteLength(tensor) ?? 0
  if (tensor.dataType !== DATA_TYPE.int64 || length > SHAPE_LIMIT) return undefined
  const content = contentOf(model, tensor)
  if (content === undefined) return length === 0 ? [] : undefined
  const raw = smallContent(model.bytes, tensor, content)
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  return Array.from({ length: raw.length >> 3 }, (_, i) => view.getBigInt64(8 * i, true))
}

const SHAPE_LIMIT = 8 * 64

function smallContent(bytes: Bytes, tensor: Tensor, content: Content): Uint8Array {
  if (content instanceof Uint8Array) return content
  if ('path' in content) return Bytes.open(content.path).read(content.start, content.end)
  return Buffer.concat([...typedChunks(bytes, tensor)])
}

/** Nothing says where the bytes of an empty tensor are, or they are said to be in a data file, which need not be there. */
function isUnspelled({ location, rawData, typedData }: Tensor): boolean {
  return location !== undefined || (rawData === undefined && typedData.length === 0)
}

function refuseLength(tensor: Tensor, found: number): void {
  const wanted = byteLength(tensor)
  if (wanted === undefined || wanted === found) return
  const shape = `${dataTypeName(tensor.dataType)} [${tensor.dims.join(', ')}]`
  throw new GraphError(
    `Tensor ${tensor.name} has ${found} bytes, wanted ${wanted} for ${shape}.`,
    'The file is damaged.',
  )
}

/** float_data, int32_data and their like as raw_data: each value narrowed to the type's own width. */
function typedContent(bytes: Bytes, tensor: Tensor): Content {
  const type = DATA_TYPES[tensor.dataType]
  const length = byteLength(tensor)
  if (!type || length === undefined) {
    throw new GraphError(`Tensor ${tensor.name} has the unknown data type ${tensor.dataType}.`)
  }
  let found = 0
  for (const field of typedFields(bytes, tensor, type)) found += typedLength(bytes, field, type)
  refuseLength(tensor, found)
  const [only, another] = typedFields(bytes, tensor, type)
  // Packed floats are little endian in the file already.
  if (only && !another && FIXED.has(type.field)) return bytes.slice(only.start, only.end)
  return { length, produce: () => typedChunks(bytes, tensor) }
}

const FIXED = new Set<number>([FIELD.tensor.floatData, FIELD.tensor.doubleData])

/** The fields that hold the values: those of the type's own number, packed or one by one. */
function* typedFields(bytes: Bytes, { typedData }: Tensor, { field }: DataType): Generator<Field> {
  const single = FIXED.has(field) ? (field === FIELD.tensor.floatData ? FIXED32 : FIXED64) : VARINT
  for (const { number, wireType, tagStart, end } of typedData) {
    if (number === field && (wireType === LENGTH || wireType === single)) yield* fields(bytes, tagStart, end)
  }
}

/** Bytes that a field's values take in raw_data. Every varint ends with the one byte that is below 0x80. */
function typedLength(bytes: Bytes, field: Field, type: DataType): number {
  if (FIXED.has(type.field)) return field.end - field.start
  if (field.wireType === VARINT) return widthOf(type)
  let count = 0
  for (const block of blocks(bytes, field)) for (const byte of block) if (byte < 0x80) count++
  return count * widthOf(type)
}

/** int32_data holds a value of up to 32 bits each; of 4- and 2-bit types, a whole byte of them. */
function widthOf({ bits }: DataType): number {
  return Math.max(1, bits / 8)
}

function* typedChunks(bytes: Bytes, tensor: Tensor): Generator<Uint8Array> {
  const type = DATA_TYPES[tensor.dataType] as DataType
  for (const field of typedFields(bytes, tensor, type)) {
    if (FIXED.has(type.field)) yield* blocks(bytes, field)
    else yield* integers(bytes, field, widthOf(type))
  }
}

function* blocks(bytes: Bytes, { start, end }: Field): Generator<Uint8Array> {
  for (let at = start; at < end; at += BLOCK) yield bytes.read(at, Math.min(end, at + BLOCK))
}

function* integers(bytes: Bytes, { start, end }: Field, width: number): Generator<Uint8Array> {
  const mask = (1n << BigInt(8 * width)) - 1n
  for (let position = start; position < end; ) {
    const out = Buffer.alloc(Math.min(BLOCK, (end - position) * width))
    let filled = 0
    for (; position < end && filled < out.length; filled += width) {
      const [value, next] = readVarint(bytes, position, end)
      writeInteger(out, value & mask, filled, width)
      position = next
    }
    yield out.subarray(0, filled)
  }
}

function writeInteger(out: Buffer, value: bigint, offset: number, width: number): void {
  if (width === 8) out.writeBigUInt64LE(value, offset)
  else out.writeUIntLE(Number(value), offset, width)
}
