// SPDX-License-Identifier: Apache-2.0

import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises'
import { basename, join } from 'node:path'
import envPaths from 'env-paths'

/* What takes long to compute at each load, kept in folders of the user's cache. */

/** Where it is kept between loads. */
export interface LoadCache {
  readonly folder: string
  /** of weights, in bytes: fewer are computed again each time, which takes no longer than to look for them */
  readonly smallest: number
}

/** An entry is known by this file: it is read last, and its time is that of the last use. */
export const INDEX = 'index.json'
const MAKING = '.making-'

const MIB = 2 ** 20
const DAY = 24 * 3600 * 1000
/** Entries that no process has used for so long are removed when another is added. */
const KEPT_DAYS = 30
/** So are the ones that were used longest ago, when all take more. */
const KEPT_BYTES = 6 * 1024 * MIB

/** In the user's cache folder, or the one that QWEN3_ASR_CACHE names. */
export function usualCache(): LoadCache {
  const folder = process.env['QWEN3_ASR_CACHE'] || envPaths('qwen3-asr-onnx', { suffix: '' }).cache
  return { folder, smallest: 16 * MIB }
}

/** Note that an entry is in use, so that it is not removed. @param folder of the entry */
export async function markUsed(folder: string): Promise<void> {
  const now = new Date()
  await utimes(join(folder, INDEX), now, now).catch(() => undefined)
}

/**
 * Add an entry, in place of one that is damaged. Readers find all of it or nothing.
 * @param name of its folder: a kind, a dash and a key
 * @param write its files into the folder that it is given
 * @returns its folder; undefined when the disk is full or the cache cannot be written
 * @throws what `write` throws, except for the system's errors
 */
export async function addEntry(
  cache: string,
  name: string,
  write: (folder: string) => Promise<void>,
): Promise<string | undefined> {
  const folder = join(cache, name)
  let making: string | undefined
  try {
    await mkdir(cache, { recursive: true, mode: 0o700 })
    await removeOld(cache, folder)
    making = await mkdtemp(join(cache, MAKING))
    await write(making)
    await rm(folder, { recursive: true, force: true }) // it was not right, or is not there
    await rename(making, folder).catch(() => undefined) // another process may have been faster
    return folder
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error // of the release
    return undefined
  } finally {
    if (making !== undefined) await rm(making, { recursive: true, force: true }).catch(() => undefined)
  }
}

/** An entry's folder. */
const ENTRY = /^(?:prompts|tokenizer)-/

/** Room for another entry: what was used longest ago goes first, and what a process has left half made. */
async function removeOld(cache: string, folder: string): Promise<void> {
  const names = (await readdir(cache)).filter((name) => ENTRY.test(name) || name.startsWith(MAKING))
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
  const sizeOf = (file: string) => stat(join(path, file)).catch(() => undefined)
  const files = await Promise.all((await readdir(path).catch(() => [])).map(sizeOf))
  const self = (await sizeOf(INDEX)) ?? (await sizeOf('.'))
  return {
    path,
    used: self?.mtimeMs ?? 0,
    bytes: files.reduce((sum, file) => sum + (file?.size ?? 0), 0),
  }
}
