// SPDX-License-Identifier: Apache-2.0

import { open, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseJsonObject } from '../../eval/runtime/json-file.ts'
import { isJsonObject, type JsonObject, shown } from '../../eval/runtime/json-value.ts'
import { Failure, failing } from '../shared/failure.ts'
import { fileOf } from './checkpoint-files.ts'

/** Where one tensor lies. Offsets are absolute bytes in the shard. */
export interface StoredTensor {
  readonly file: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly start: number
  readonly end: number
}

/** Of the types that checkpoints have. */
export const ITEM_BYTES: ReadonlyMap<string, number> = new Map([
  ['F32', 4],
  ['F16', 2],
  ['BF16', 2],
])
const AGAIN = 'Download the checkpoint again.'
const MAX_HEADER = 100_000_000 // the format's own limit

/**
 * Read the header of a safetensors file and prove that the file is whole: dtypes known, ranges inside the file and
 * as long as their shapes, the last one ending at the file's end.
 * Source: https://github.com/huggingface/safetensors#format
 * @throws Failure when the file is missing, truncated or damaged
 */
export async function readSafetensors(folder: string, file: string): Promise<Map<string, StoredTensor>> {
  const path = await fileOf(folder, file)
  if (path === undefined) throw new Failure(`The checkpoint's shard ${join(folder, file)} is missing.`, AGAIN)
  const { size } = await stat(path)
  const headerEnd = await headerEndOf(path, size)
  const header = await readHeader(path, headerEnd)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const tensor = toStored(name, entry, file, headerEnd)
    tensors.set(name, tensor)
  }
  checkCoverage(path, [...tensors], headerEnd, size)
  return tensors
}

/** The format requires that the tensors cover the file without gaps or overlaps. */
function checkCoverage(path: string, tensors: [string, StoredTensor][], start: number, size: number): void {
  let end = start
  for (const [name, tensor] of tensors.sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (tensor.start !== end) {
      throw new Failure(
        `${basename(path)}: ${name} starts at byte ${tensor.start}, wanted ${end}: tensors overlap or leave a gap.`,
        AGAIN,
      )
    }
    end = tensor.end
  }
  if (end !== size) throw truncated(path, size, end)
}

async function headerEndOf(path: string, size: number): Promise<number> {
  const length = size < 8 ? Number.NaN : Number((await readBytes(path, 0, 8)).readBigUInt64LE())
  if (Number.isNaN(length) || length > MAX_HEADER) {
    throw new Failure(`${path} is not a safetensors file (${size} bytes).`, AGAIN)
  }
  if (8 + length > size) throw truncated(path, size, 8 + length)
  return 8 + length
}

async function readHeader(path: string, end: number): Promise<JsonObject> {
  const bytes = await readBytes(path, 8, end)
  const where = `The header of ${path}`
  const header = parseJsonObject(bytes, where, failing(AGAIN))
  const twice = duplicateKey(bytes.toString('utf8'))
  if (twice !== undefined) throw new Failure(`${where} names ${twice} twice.`, AGAIN)
  return header
}

/** The first key that stands twice in the outermost object: of two entries JSON.parse keeps the last, silently. */
function duplicateKey(json: string): string | undefined {
  const seen = new Set<string>()
  let [depth, name] = [0, '']
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g)) {
    if (token === '{' || token === '[') depth++
    else if (token === '}' || token === ']') depth--
    else if (token !== ':') name = token
    else if (depth === 1) {
      const key = String(JSON.parse(name))
      if (seen.has(key)) return key
      seen.add(key)
    }
  }
  return undefined
}

function toStored(name: string, entry: unknown, file: string, base: number): StoredTensor {
  const { dtype, shape, data_offsets: offsets } = isJsonObject(entry) ? entry : {}
  if (typeof dtype !== 'string' || !isNumbers(shape) || !isNumbers(offsets) || offsets.length !== 2) {
    const wanted = 'dtype, shape and data_offsets, [start, end]'
    throw new Failure(`${file}: the entry of ${name} is ${shown(entry)}, wanted ${wanted}.`, AGAIN)
  }
  const item = ITEM_BYTES.get(dtype)
  if (item === undefined) {
    throw new Failure(
      `${name} is stored as ${dtype}, wanted BF16, F16 or F32.`,
      'Give an unquantized checkpoint.',
    )
  }
  const [start = 0, end = 0] = offsets
  const wanted = shape.reduce((product, size) => product * size, item)
  if (end - start !== wanted) {
    throw new Failure(
      `${file}: ${name} has ${end - start} bytes, its shape [${shape.join(', ')}] requires ${wanted}.`,
      AGAIN,
    )
  }
  return { file, dtype, shape, start: base + start, end: base + end }
}

function truncated(path: string, found: number, wanted: number): Failure {
  return new Failure(
    `The shard ${basename(path)} has ${found} bytes, wanted ${wanted}: it is truncated.`,
    AGAIN,
  )
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

async function readBytes(path: string, start: number, end: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(end - start)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
