// SPDX-License-Identifier: Apache-2.0

import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { readJson } from './json-file.ts'
import { addEntry, INDEX, type LoadCache, markUsed } from './load-cache.ts'
import type { MappedWeight } from './mapped-weights.ts'
import { type PrefillSource, type WidenedWeight, widenedWeights } from './prefill-weights.ts'
import { list, shape, text, whole } from './schema.ts'

/** Weights in a file of the cache. */
export interface StoredWeights {
  readonly folder: string
  readonly weights: readonly MappedWeight[]
}

/** Changes with what is in an entry, and with how weights are widened. */
const FORMAT = 2
const DATA = 'weights.bin'
const PREFIX = 'prompts-'

/** Weights begin with a page of memory. */
const PAGE = 4096
/** Bytes of each part of each weight that an entry is known by. */
const SAMPLE = 2048

const INT8 = 3
const FLOAT = 1

const WEIGHTS = shape({
  bytes: whole(1, Number.MAX_SAFE_INTEGER),
  weights: list(
    shape({
      name: text,
      type: whole(1, 100),
      dims: list(whole(1, Number.MAX_SAFE_INTEGER)),
      file: v.literal(DATA),
      offset: whole(0, Number.MAX_SAFE_INTEGER),
      length: whole(1, Number.MAX_SAFE_INTEGER),
    }),
  ),
})

/** The weights of a prefill graph in the cache; undefined when they are not there. */
export async function findStored(
  { folder, smallest }: LoadCache,
  source: PrefillSource,
): Promise<StoredWeights | undefined> {
  if (bytesOf(source) < smallest) return undefined
  const key = await keyOf(source)
  return key === undefined ? undefined : readEntry(join(folder, key))
}

/**
 * Make the weights of a prefill graph in the cache.
 * @returns undefined when they are few, or the cache cannot be written: they must be made in memory then
 * @throws SpeechError when what they are made of is missing or damaged
 */
export async function makeStored(
  { folder, smallest }: LoadCache,
  source: PrefillSource,
): Promise<StoredWeights | undefined> {
  if (bytesOf(source) < smallest) return undefined
  const key = await keyOf(source)
  if (key === undefined) return undefined // the data file is missing or too short: making the weights says so
  const added = await addEntry(folder, key, (making) => writeEntry(making, source))
  return added === undefined ? undefined : readEntry(added)
}

function bytesOf({ weights }: PrefillSource): number {
  return weights.reduce((sum, { K, N }) => sum + K * N, 0)
}

/** The name of an entry: of the data file's size, time and samples, and of the recipe. */
async function keyOf({ path, weights }: PrefillSource): Promise<string | undefined> {
  const hash = createHash('sha256').update(JSON.stringify([FORMAT, weights]))
  const file = await open(path, 'r').catch(() => undefined)
  try {
    if (file === undefined) return undefined
    const { size, mtimeNs } = await file.stat({ bigint: true })
    hash.update(`${size} ${mtimeNs}`)
    for (const { packed, scales } of weights) {
      for (const place of [packed, scales])
        if (typeof place === 'number' && !(await addSample(hash, file, place))) return undefined
    }
    return PREFIX + hash.digest('hex').slice(0, 32)
  } finally {
    await file?.close()
  }
}

async function addSample(hash: Hash, file: FileHandle, place: number): Promise<boolean> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(SAMPLE), 0, SAMPLE, place)
  hash.update(buffer)
  return bytesRead > 0
}

async function readEntry(folder: string): Promise<StoredWeights | undefined> {
  try {
    const { bytes, weights } = v.parse(WEIGHTS, await readJson(join(folder, INDEX)))
    if ((await stat(join(folder, DATA))).size !== bytes) return undefined
    await markUsed(folder)
    return { folder, weights }
  } catch {
    return undefined // it is made again
  }
}

async function writeEntry(folder: string, source: PrefillSource): Promise<void> {
  const file = await open(join(folder, DATA), 'wx')
  const weights: MappedWeight[] = []
  let end = 0
  const put = async (
    name: string,
    type: number,
    dims: readonly number[],
    values: Int8Array | Float32Array,
  ) => {
    const offset = Math.ceil(end / PAGE) * PAGE
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    for (let done = 0; done < bytes.length; )
      done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten
    end = offset + bytes.length
    weights.push({ name, type, dims, file: DATA, offset, length: bytes.length })
  }
  try {
    for await (const weight of widenedWeights(source)) await putWeight(weight, put)
    await file.sync()
  } finally {
    await file.close()
  }
  await writeFile(join(folder, INDEX), JSON.stringify({ bytes: end, weights }), { flush: true })
}

async function putWeight(
  { name, K, N, levels, columns }: WidenedWeight,
  put: (
    name: string,
    type: number,
    dims: readonly number[],
    values: Int8Array | Float32Array,
  ) => Promise<void>,
): Promise<void> {
  await put(`${name}.int8`, INT8, [K, N], levels)
  await put(`${name}.scale`, FLOAT, [N], columns)
}
