// SPDX-License-Identifier: Apache-2.0

import { createHash, type Hash } from 'node:crypto'
import {
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { basename, join } from 'node:path'
import envPaths from 'env-paths'
import * as v from 'valibot'
import { readJson } from './json-file.ts'
import type { MappedWeight } from './mapped-weights.ts'
import { type PrefillSource, type WidenedWeight, widenedWeights } from './prefill-weights.ts'
import { list, shape, text, whole } from './schema.ts'

/** Where the weights of prompts are kept between loads. */
export interface PromptCache {
  readonly folder: string
  /** fewer bytes of weights are made again each time: that takes no longer than to look for them */
  readonly smallest: number
}

/** Weights in a file of the cache. */
export interface StoredWeights {
  readonly folder: string
  readonly weights: readonly MappedWeight[]
}

/** Changes with what is in an entry, and with how weights are widened. */
const FORMAT = 1
const DATA = 'weights.bin'
const INDEX = 'weights.json'
const PREFIX = 'prompts-'
const MAKING = '.making-'

/** Weights begin with a page of memory. */
const PAGE = 4096
/** Bytes of each part of each weight that an entry is known by. */
const SAMPLE = 2048
const MIB = 2 ** 20
const DAY = 24 * 3600 * 1000
/** Entries that no process has used for so long are removed when another is added. */
const KEPT_DAYS = 30
/** So are the ones that were used longest ago, when all take more. */
const KEPT_BYTES = 6 * 1024 * MIB

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

/** In the user's cache folder, or the one that QWEN3_ASR_CACHE names. */
export function usualCache(): PromptCache {
  const folder = process.env['QWEN3_ASR_CACHE'] || envPaths('qwen3-asr-onnx', { suffix: '' }).cache
  return { folder, smallest: 16 * MIB }
}

/** The weights of a prefill graph in the cache; undefined when they are not there. */
export async function findStored(
  { folder, smallest }: PromptCache,
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
  { folder, smallest }: PromptCache,
  source: PrefillSource,
): Promise<StoredWeights | undefined> {
  if (bytesOf(source) < smallest) return undefined
  const key = await keyOf(source)
  if (key === undefined) return undefined // the data file is missing or too short: making the weights says so
  return addEntry(folder, join(folder, key), source)
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
    const now = new Date()
    await utimes(join(folder, INDEX), now, now).catch(() => undefined) // used now
    return { folder, weights }
  } catch {
    return undefined // it is made again
  }
}

async function addEntry(
  cache: string,
  folder: string,
  source: PrefillSource,
): Promise<StoredWeights | undefined> {
  let making: string | undefined
  try {
    await mkdir(cache, { recursive: true, mode: 0o700 })
    await removeOld(cache, folder)
    making = await mkdtemp(join(cache, MAKING))
    await writeEntry(making, source)
    await rm(folder, { recursive: true, force: true }) // it was not right, or is not there
    await rename(making, folder).catch(() => undefined) // another process may have been faster
    return await readEntry(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error // of the release
    return undefined // no room, or no right to write
  } finally {
    if (making !== undefined) await rm(making, { recursive: true, force: true }).catch(() => undefined)
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

/** Room for another entry: what was used longest ago goes first, and what a process has left half made. */
async function removeOld(cache: string, folder: string): Promise<void> {
  const names = (await readdir(cache)).filter((name) => name.startsWith(PREFIX) || name.startsWith(MAKING))
  const entries = await Promise.all(names.map((name) => entryOf(join(cache, name))))
  entries.sort((a, b) => b.used - a.used)
  let sum = 0
  for (const { path, used, bytes } of entries) {
    sum += bytes
    const days = (Date.now() - used) / DAY
    const isOld = basename(path).startsWith(MAKING) ? days > 1 : days > KEPT_DAYS || sum > KEPT_BYTES
    if (isOld && path !== folder) await rm(path, { recursive: true, force: true }).catch(() => undefined)
  }
}

async function entryOf(path: string): Promise<{ path: string; used: number; bytes: number }> {
  const [index, data, self] = await Promise.all(
    [join(path, INDEX), join(path, DATA), path].map((file) => stat(file).catch(() => undefined)),
  )
  return { path, used: (index ?? self)?.mtimeMs ?? 0, bytes: data?.size ?? 0 }
}
