// SPDX-License-Identifier: Apache-2.0

import { lstatSync, realpathSync } from 'node:fs'
import { dirname, isAbsolute, join, normalize, posix, relative, sep } from 'node:path'
import { type Content, type FileRange, fileState, type Span } from './bytes.ts'
import { missingError, shortError } from './files.ts'
import { GraphError } from './graph-error.ts'
import type { Tensor } from './model.ts'
import { FIELD } from './onnx-types.ts'
import { blobsOf } from './snapshot.ts'
import type { Edit } from './splice.ts'
import { encodeField, encodeFieldHeader, encodeVarintField } from './wire.ts'

/** The runtime can map external data that starts on a page (onnx.proto, TensorProto.external_data). */
export const ALIGNMENT = 4096
const EXTERNAL = 1

/**
 * Where a tensor with external data says that its bytes are; whether the file has them is not looked at.
 * @param folder the model's folder, against which `location` is resolved
 * @param length what the tensor's type and shape take; undefined when that is not known
 * @throws GraphError when the location leaves the folder, also through a symbolic link, or a number is malformed
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export function externalRange(tensor: Tensor, folder: string, length: number | undefined): Span {
  const path = resolveLocation(tensor.location ?? '', folder)
  const start = byteCount(tensor, 'offset') ?? 0
  const found = lengthOf(tensor, length)
  if (found === undefined) throw new GraphError(`Tensor ${tensor.name}: its external data has no length.`)
  if (length !== undefined && found !== length) {
    throw new GraphError(
      `Tensor ${tensor.name}: external length is ${found}, its type and shape take ${length} bytes.`,
    )
  }
  if (!Number.isSafeInteger(start + found)) {
    throw new GraphError(`Tensor ${tensor.name}: its external data ends beyond 2^53 bytes.`)
  }
  return { path, start, end: start + found }
}

/**
 * The bytes of a tensor with external data, of the file as it is now.
 * @throws GraphError as {@link externalRange}, and when the file is missing, no regular one, or ends before the range
 */
export function storedRange(tensor: Tensor, folder: string, length: number | undefined): FileRange {
  const span = externalRange(tensor, folder, length)
  const { size, identity } = stateOf(span.path)
  if (span.end > size) throw shortError(span.path, size, span.end)
  return { ...span, identity }
}

function stateOf(path: string): { size: number; identity: string } {
  try {
    return fileState(path)
  } catch (error) {
    throw missingError(path, error)
  }
}

/**
 * A location as it is compared: `./w.data` and `w.data` are one file. A backslash divides folders, as Windows has it, unless
 * there is a file whose name has one.
 */
export function normalLocation(location: string, folder: string): string {
  if (location === '') return ''
  const isName = sep !== '\\' && location.includes('\\') && isThere(join(folder, location))
  return posix.normalize(isName ? location : location.replaceAll('\\', '/'))
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false // no possible name
  }
}

/**
 * The file that a location names.
 * @throws GraphError unless it is inside the folder, links followed; those of a snapshot may lead to its blobs
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export function resolveLocation(location: string, folder: string): string {
  const path = normalize(normalLocation(location, folder))
  const isOutside = location.includes('\0') || isAbsolute(path) || /^[A-Za-z]:/.test(path) || climbs(path)
  const joined = join(folder, path)
  if (location === '')
    throw new GraphError(
      'The location of external data is empty, wanted the name of a file beside the model.',
    )
  if (isOutside || leaves(realPath(joined), folder)) {
    throw new GraphError(
      `The location ${JSON.stringify(location)} is outside the model's folder ${folder}.`,
      'External data must be beside its model.',
    )
  }
  return joined
}

function leaves(path: string, folder: string): boolean {
  const blobs = blobsOf(folder)
  return climbs(relative(realPath(folder), path)) && (blobs === undefined || dirname(path) !== blobs)
}

function climbs(path: string): boolean {
  return path.split(sep).includes('..') || isAbsolute(path)
}

/** Where links lead; of what does not exist, where its folder leads. */
function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ELOOP') throw new GraphError(`${path} is a link in a circle.`)
    const parent = join(path, '..')
    return parent === path ? path : join(realPath(parent), relative(parent, path))
  }
}

/**
 * Edits that make a tensor external: `location`, `offset` and `length` (bytes) replace whatever held its bytes.
 * @throws GraphError when its own offset or length is malformed
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export function moveOut(tensor: Tensor, location: string, offset: number, length: number): Edit[] {
  if (isAt(tensor, location, offset, length)) return []
  return replaceData(tensor, [externalFields(location, offset, length)])
}

/** The fields of a TensorProto whose bytes are in a data file (onnx.proto, TensorProto.external_data). */
export function externalFields(location: string, offset: number, length: number): Uint8Array {
  const entry = (key: string, value: string) =>
    encodeField(
      FIELD.tensor.externalData,
      Buffer.concat([encodeField(FIELD.entry.key, key), encodeField(FIELD.entry.value, value)]),
    )
  return Buffer.concat([
    entry('location', location),
    entry('offset', String(offset)),
    entry('length', String(length)),
    encodeVarintField(FIELD.tensor.dataLocation, EXTERNAL),
  ])
}

/** Whether the tensor says so already, whatever else it says (such as a checksum of the same bytes). */
function isAt(tensor: Tensor, location: string, offset: number, length: number): boolean {
  if (tensor.location !== location) return false
  return (byteCount(tensor, 'offset') ?? 0) === offset && lengthOf(tensor, length) === length
}

/** Edits that put `length` bytes into the tensor as raw_data (onnx.proto, TensorProto.raw_data). */
export function moveIn(tensor: Tensor, content: Content, length: number): Edit[] {
  return replaceData(tensor, [encodeFieldHeader(FIELD.tensor.rawData, length), content])
}

/** Drop every field that says where the bytes are and append `content` to the tensor. */
function replaceData(tensor: Tensor, content: readonly Content[]): Edit[] {
  const region = tensor.region
  const gone = [...tensor.placement, ...tensor.typedData, ...tensor.rawFields]
  return [
    ...gone.map((field) => ({ region, start: field.tagStart, end: field.end, content: [] })),
    { region, start: region.end, end: region.end, content },
  ]
}

/** A length of 0 is one that was not given, as onnxruntime reads it: what type and shape take. */
export function lengthOf<T>(tensor: Tensor, without: T): number | T {
  return byteCount(tensor, 'length') || without
}

function byteCount(tensor: Tensor, key: string): number | undefined {
  const value = tensor.external.get(key)
  if (value === undefined) return undefined
  const bytes = Number(value)
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(bytes)) {
    throw new GraphError(
      `Tensor ${tensor.name}: external ${key} is ${JSON.stringify(value)}, wanted a byte count below 2^53.`,
    )
  }
  return bytes
}
