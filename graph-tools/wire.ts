// SPDX-License-Identifier: Apache-2.0

import type { Bytes } from './bytes.ts'
import { GraphError } from './graph-error.ts'

/* Protobuf wire types: https://protobuf.dev/programming-guides/encoding/#structure */

/** A number in 7 bits a byte, the lowest first. */
export const VARINT = 0
/** Eight bytes, little-endian. */
export const FIXED64 = 1
/** A length as a varint, then as many bytes: strings, messages and packed values. */
export const LENGTH = 2
const GROUP_START = 3
const GROUP_END = 4
/** Four bytes, little-endian. */
export const FIXED32 = 5

const MAX_VARINT_BYTES = 10
const MAX_GROUP_DEPTH = 100
/** Bytes of a name, key or path. */
const TEXT_LIMIT = 1 << 20

/** One field of a message, as byte offsets into the file. `start..end` is the payload, without tag and length. */
export interface Field {
  readonly number: number
  readonly wireType: number
  readonly tagStart: number
  /** First byte of the length varint of a length-delimited field, else `start`. */
  readonly lengthStart: number
  readonly start: number
  readonly end: number
}

/**
 * Walk the fields of the message in `bytes[start, end)` without looking inside them.
 * @throws GraphError when a tag, length or group runs past `end`, so that nothing is read out of bounds
 */
export function* fields(bytes: Bytes, start: number, end: number): Generator<Field> {
  let position = start
  while (position < end) {
    const field = readField(bytes, position, end, 0)
    yield field
    position = field.wireType === GROUP_START ? groupEnd(bytes, field, end, 0) : field.end
  }
}

/**
 * An unsigned varint that must be a length or offset: at most 2^53 - 1.
 * @returns [value, offset of the byte after it]
 * @throws GraphError as {@link readVarint}, and when it is more
 */
export function readLength(bytes: Bytes, start: number, end: number): [number, number] {
  let low = 0
  for (let shift = 0, position = start; shift < 28 && position < end; shift += 7) {
    const byte = bytes.at(position++)
    low |= (byte & 0x7f) << shift
    if (byte < 0x80) return [low, position]
  }
  const [value, next] = readVarint(bytes, start, end)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new GraphError(`The varint at byte ${start} is ${value}, which is not a possible length.`)
  }
  return [Number(value), next]
}

/**
 * A varint as 64 unsigned bits.
 * @returns [value, offset of the byte after it]
 * @throws GraphError when it has more than 10 bytes or runs past `end`
 */
export function readVarint(bytes: Bytes, start: number, end: number): [bigint, number] {
  let low = 0
  let position = start
  for (let shift = 0; shift < 28 && position < end; shift += 7) {
    const byte = bytes.at(position++)
    low |= (byte & 0x7f) << shift
    if (byte < 0x80) return [BigInt(low), position]
  }
  let value = BigInt(low)
  for (let index = 4; index < MAX_VARINT_BYTES && position < end; index++) {
    const byte = bytes.at(position++)
    value |= BigInt(byte & 0x7f) << BigInt(7 * index)
    if (byte < 0x80) return [BigInt.asUintN(64, value), position]
  }
  const problem = position >= end ? `runs past byte ${end}` : `has more than ${MAX_VARINT_BYTES} bytes`
  throw new GraphError(
    `The varint at byte ${start} ${problem}.`,
    'The file is truncated or is not an ONNX model.',
  )
}

/**
 * The varint value of a field, as a signed 64-bit number.
 * @throws GraphError as {@link readVarint}
 */
export function signedValue(bytes: Bytes, field: Field): bigint {
  return BigInt.asIntN(64, readVarint(bytes, field.start, field.end)[0])
}

/**
 * The UTF-8 text of a length-delimited field.
 * @throws GraphError when it is longer than a name, key or path can be
 */
export function text(bytes: Bytes, field: Field): string {
  if (field.end - field.start > TEXT_LIMIT) {
    throw new GraphError(
      `The text at byte ${field.start} has ${field.end - field.start} bytes, wanted at most ${TEXT_LIMIT}.`,
    )
  }
  return Buffer.from(bytes.read(field.start, field.end)).toString('utf8')
}

/**
 * The signed integers of a repeated field, packed or not: both spellings are legal.
 * @returns at most `limit + 1` of them, so that a caller can find a list that is too long
 * @throws GraphError as {@link readVarint}
 * @see https://protobuf.dev/programming-guides/encoding/#packed
 */
export function packedVarints(bytes: Bytes, field: Field, limit: number): bigint[] {
  if (field.wireType !== LENGTH) return [signedValue(bytes, field)]
  const out: bigint[] = []
  for (let position = field.start; position < field.end && out.length <= limit; ) {
    const [value, next] = readVarint(bytes, position, field.end)
    out.push(BigInt.asIntN(64, value))
    position = next
  }
  return out
}

/** Minimal varint encoding of a non-negative integer below 2^53. */
export function encodeVarint(value: number): Uint8Array {
  const out: number[] = []
  let rest = value
  while (rest >= 0x80) {
    out.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  out.push(rest)
  return Uint8Array.from(out)
}

/** A length-delimited field with its tag. */
export function encodeField(number: number, payload: Uint8Array | string): Uint8Array {
  const body = typeof payload === 'string' ? Buffer.from(payload, 'utf8') : payload
  return Buffer.concat([encodeFieldHeader(number, body.length), body])
}

/** Tag and length of a length-delimited field of `length` bytes. */
export function encodeFieldHeader(number: number, length: number): Uint8Array {
  return Buffer.concat([encodeVarint(number * 8 + LENGTH), encodeVarint(length)])
}

/** A varint field with its tag. */
export function encodeVarintField(number: number, value: number): Uint8Array {
  return Buffer.concat([encodeVarint(number * 8 + VARINT), encodeVarint(value)])
}

function readField(bytes: Bytes, tagStart: number, end: number, depth: number): Field {
  const [tag, afterTag] = readLength(bytes, tagStart, end)
  const number = Math.floor(tag / 8)
  const wireType = tag % 8
  if (number === 0 || depth > MAX_GROUP_DEPTH) {
    throw new GraphError(
      `The bytes at ${tagStart} are not a protobuf field.`,
      'The file is damaged or is not an ONNX model.',
    )
  }
  const field = { number, wireType, tagStart, lengthStart: afterTag, start: afterTag, end: afterTag }
  switch (wireType) {
    case VARINT:
      field.end = varintEnd(bytes, afterTag, end)
      break
    case FIXED64:
      field.end += 8
      break
    case FIXED32:
      field.end += 4
      break
    case LENGTH: {
      const [length, start] = readLength(bytes, afterTag, end)
      field.start = start
      field.end = start + length
      break
    }
    case GROUP_START:
    case GROUP_END:
      break
    default:
      throw new GraphError(`Field ${number} at byte ${tagStart} has wire type ${wireType}, wanted 0 to 5.`)
  }
  if (field.end > end) {
    throw new GraphError(
      `Field ${number} at byte ${tagStart} ends at byte ${field.end}, but its message ends at byte ${end}.`,
      'The file is truncated or damaged; get it again.',
    )
  }
  return field
}

function varintEnd(bytes: Bytes, start: number, end: number): number {
  return start < end && bytes.at(start) < 0x80 ? start + 1 : readVarint(bytes, start, end)[1]
}

function groupEnd(bytes: Bytes, group: Field, end: number, depth: number): number {
  let position = group.end
  while (position < end) {
    const field = readField(bytes, position, end, depth + 1)
    if (field.wireType === GROUP_END) {
      if (field.number === group.number) return field.end
      break
    }
    position = field.wireType === GROUP_START ? groupEnd(bytes, field, end, depth + 1) : field.end
  }
  throw new GraphError(`The group ${group.number} at byte ${group.tagStart} is not closed.`)
}
