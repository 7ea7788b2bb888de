import { Bytes, type FileRange } from './bytes.ts'
import { externalRange } from './external-data.ts'
import { GraphError } from './graph-error.ts'
import type { Model, Tensor } from './model.ts'
import { DATA_TYPE, DATA_TYPES, dataTypeName, FIELD } from './schema.ts'
import { type Field, LENGTH, readVarint } from './wire.ts'

/** Values kept in typed fields are small; weights of any size are raw. */
const TYPED_LIMIT = 256 << 20

/**
 * A tensor's bytes as raw_data has them (little endian, row-major), wherever they are: a file range, the proto, or typed
 * fields, which are converted.
 * @returns undefined for tensors of strings, which have no such form, and for those with no bytes at all
 * @throws GraphError when the bytes are not those of the tensor's type and shape, or outside its folder
 */
export function contentOf(model: Model, tensor: Tensor): Uint8Array | FileRange | undefined {
  if (tensor.dataType === DATA_TYPE.string) return undefined
  if (tensor.external.size > 0) return externalRange(tensor, model.folder, byteLength(tensor))
  if (tensor.rawData !== undefined) {
    const { start, end } = tensor.rawData
    refuseLength(tensor, end - start)
    return model.bytes.slice(start, end)
  }
  if (tensor.typedData.length === 0) return undefined
  const bytes = typedBytes(model.bytes, tensor)
  refuseLength(tensor, bytes.length)
  return bytes
}

/**
 * Bytes that a tensor of this type and shape has in raw_data; several elements share a byte in 4- and 2-bit types.
 * @returns undefined for strings and types this toolkit does not know
 * @throws GraphError when it is beyond 2^53
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
function typedBytes(bytes: Bytes, tensor: Tensor): Uint8Array {
  const type = DATA_TYPES[tensor.dataType]
  const wanted = byteLength(tensor)
  if (!type || wanted === undefined) {
    throw new GraphError(`Tensor ${tensor.name} has the unknown data type ${tensor.dataType}.`)
  }
  if (wanted > TYPED_LIMIT) {
    throw new GraphError(
      `Tensor ${tensor.name} keeps ${wanted} bytes in typed fields, wanted at most ${TYPED_LIMIT}.`,
    )
  }
  const out = Buffer.alloc(wanted)
  let end = 0
  for (const field of tensor.typedData.filter(({ number }) => number === type.field)) {
    end = FIXED.has(type.field)
      ? copyFixed(bytes, field, out, end)
      : copyVarints(bytes, field, out, end, type.bits)
  }
  return out.subarray(0, end)
}

const FIXED = new Set<number>([FIELD.tensor.floatData, FIELD.tensor.doubleData])

/** Floats and doubles are little endian in the file already. */
function copyFixed(bytes: Bytes, field: Field, out: Buffer, end: number): number {
  out.set(bytes.read(field.start, Math.min(field.end, field.start + out.length - end)), end)
  return end + (field.end - field.start)
}

/** int32_data holds a value of up to 32 bits each; of 4- and 2-bit types, a whole byte of them. */
function copyVarints(bytes: Bytes, field: Field, out: Buffer, start: number, bits: number): number {
  const width = Math.max(1, bits / 8)
  const mask = (1n << BigInt(8 * width)) - 1n
  let end = start
  for (let position = field.start; position < field.end; end += width) {
    const [value, next] = readVarint(bytes, position, field.end)
    if (end + width <= out.length) writeInteger(out, value & mask, end, width)
    position = field.wireType === LENGTH ? next : field.end
  }
  return end
}

function writeInteger(out: Buffer, value: bigint, offset: number, width: number): void {
  if (width === 8) out.writeBigUInt64LE(value, offset)
  else out.writeUIntLE(Number(value), offset, width)
}

/**
 * The values of a small INT64 tensor.
 * @returns undefined when it is of another type or longer than a shape can be
 */
export function shapeValues(model: Model, tensor: Tensor): bigint[] | undefined {
  if (tensor.dataType !== DATA_TYPE.int64 || (byteLength(tensor) ?? 0) > SHAPE_LIMIT) return undefined
  const content = contentOf(model, tensor) ?? new Uint8Array(0)
  const raw =
    content instanceof Uint8Array ? content : Bytes.open(content.path).read(content.start, content.end)
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  return Array.from({ length: raw.length >> 3 }, (_, i) => view.getBigInt64(8 * i, true))
}

const SHAPE_LIMIT = 8 * 64
