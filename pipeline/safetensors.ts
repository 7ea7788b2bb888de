import { open, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Failure } from './failure.ts'

/** Where one tensor lies. Offsets are absolute bytes in the shard. */
export interface StoredTensor {
  readonly file: string
  readonly dtype: string
  readonly shape: readonly number[]
  readonly start: number
  readonly end: number
}

const ITEM_BYTES: Readonly<Record<string, number>> = { F32: 4, F16: 2, BF16: 2 }
const MAX_HEADER = 100_000_000 // the format's own limit

/**
 * Read the header of a safetensors file and prove that the file is whole: dtypes known, ranges inside the file and
 * as long as their shapes, the last one ending at the file's end.
 * Source: https://github.com/huggingface/safetensors#format
 */
export async function readSafetensors(folder: string, file: string): Promise<Map<string, StoredTensor>> {
  const path = join(folder, file)
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile())
    throw new Failure(`The checkpoint's shard ${path} is missing.`, 'Download the checkpoint again.')
  const headerEnd = await headerEndOf(path, info.size)
  const header = await readHeader(path, headerEnd)
  const tensors = new Map<string, StoredTensor>()
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue
    const tensor = toStored(name, entry, file, headerEnd)
    tensors.set(name, tensor)
  }
  checkCoverage(path, [...tensors], headerEnd, info.size)
  return tensors
}

/** The format wants the tensors to cover the file without gaps or overlaps. */
function checkCoverage(path: string, tensors: [string, StoredTensor][], start: number, size: number): void {
  let end = start
  for (const [name, tensor] of tensors.sort(([, a], [, b]) => a.start - b.start || a.end - b.end)) {
    if (tensor.start !== end) {
      throw new Failure(
        `${basename(path)}: ${name} starts at byte ${tensor.start}, wanted ${end}: tensors overlap or leave a gap.`,
      )
    }
    end = tensor.end
  }
  if (end !== size) throw truncated(path, size, end)
}

async function headerEndOf(path: string, size: number): Promise<number> {
  const length = size < 8 ? Number.NaN : Number((await readBytes(path, 0, 8)).readBigUInt64LE())
  if (Number.isNaN(length) || length > MAX_HEADER) {
    throw new Failure(`${path} is no safetensors file (${size} bytes).`, 'Download the checkpoint again.')
  }
  if (8 + length > size) throw truncated(path, size, 8 + length)
  return 8 + length
}

interface HeaderEntry {
  readonly dtype?: unknown
  readonly shape?: unknown
  readonly data_offsets?: unknown
}

async function readHeader(path: string, end: number): Promise<Record<string, HeaderEntry>> {
  try {
    return JSON.parse((await readBytes(path, 8, end)).toString('utf8'))
  } catch {
    throw new Failure(`The header of ${path} is no JSON.`, 'Download the checkpoint again.')
  }
}

function toStored(name: string, entry: HeaderEntry, file: string, base: number): StoredTensor {
  const { dtype, shape, data_offsets: offsets } = entry
  if (typeof dtype !== 'string' || !isNumbers(shape) || !isNumbers(offsets)) {
    throw new Failure(`${file}: the entry of ${name} is malformed.`, 'Download the checkpoint again.')
  }
  const item = ITEM_BYTES[dtype]
  if (item === undefined) {
    throw new Failure(
      `${name} is stored as ${dtype}, wanted BF16, F16 or F32.`,
      'Give an unquantized checkpoint.',
    )
  }
  const [start = 0, end = 0] = offsets
  const wanted = shape.reduce((product, size) => product * size, item)
  if (end - start !== wanted) {
    throw new Failure(`${file}: ${name} has ${end - start} bytes, its shape [${shape}] wants ${wanted}.`)
  }
  return { file, dtype, shape, start: base + start, end: base + end }
}

function truncated(path: string, found: number, wanted: number): Failure {
  return new Failure(
    `The shard ${basename(path)} has ${found} bytes, wanted ${wanted}: it is truncated.`,
    'Download the checkpoint again.',
  )
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

async function readBytes(path: string, start: number, end: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.alloc(end - start)
    await file.read(buffer, 0, buffer.length, start)
    return buffer
  } finally {
    await file.close()
  }
}
