// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { usualCache } from '../../eval/runtime/load-cache.ts'
import { readPrefillRecipe, widenedWeights } from '../../eval/runtime/prefill-weights.ts'
import { findStored, makeStored, type StoredWeights } from '../../eval/runtime/prompt-cache.ts'
import { injectFault } from '../helpers/faults.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const [K, N, BLOCK] = [64, 8, 32]
const PACKED = (N * K) / 2

async function releaseOf(seed = 1): Promise<string> {
  const folder = await temporaryFolder()
  const random = seededRandom(seed)
  const packed = Uint8Array.from({ length: 2 * PACKED }, () => Math.floor(random() * 256))
  const scales = Float32Array.from({ length: (2 * N * K) / BLOCK }, () => random() / 100)
  await writeFile(join(folder, 'w.data'), Buffer.concat([packed, Buffer.from(scales.buffer)]))
  const weight = (name: string, i: number) => ({
    ...{ name, K, N, packed: i * PACKED, scales: 2 * PACKED + i * ((4 * N * K) / BLOCK) },
  })
  const recipe = { data: 'w.data', block_size: BLOCK, weights: [weight('a', 0), weight('b', 1)] }
  await writeFile(join(folder, 'r.json'), JSON.stringify(recipe))
  return folder
}

async function setup(seed?: number) {
  const release = await releaseOf(seed)
  const cache = { folder: join(await temporaryFolder(), 'made', 'here'), smallest: 1 }
  return { release, cache, source: await readPrefillRecipe(release, 'r.json') }
}

/** Values by name, as they are in the file. */
async function valuesOf({ folder, weights }: StoredWeights) {
  const bytes = await readFile(join(folder, 'weights.bin'))
  return Object.fromEntries(
    weights.map(({ name, type, dims, offset, length }) => [
      name,
      { type, dims, isAtPage: offset % 4096 === 0, bytes: bytes.subarray(offset, offset + length) },
    ]),
  )
}

describe('the cache of prompt weights', () => {
  it('holds what is made again without it, and finds it again', async () => {
    const { cache, source } = await setup()
    expect(await findStored(cache, source)).toBeUndefined()
    const made = await makeStored(cache, source)
    if (made === undefined) throw new Error('nothing was stored')
    const wanted: Record<string, unknown> = {}
    for await (const { name, levels, columns } of widenedWeights(source)) {
      wanted[`${name}.int8`] = { type: 3, dims: [K, N], isAtPage: true, bytes: Buffer.from(levels.buffer) }
      wanted[`${name}.scale`] = { type: 1, dims: [N], isAtPage: true, bytes: Buffer.from(columns.buffer) }
    }
    expect(await valuesOf(made)).toEqual(wanted)
    expect(await findStored(cache, source)).toEqual(made)
    expect(await makeStored(cache, source)).toEqual(made)
    expect(await readdir(cache.folder)).toHaveLength(1)
    expect((await stat(cache.folder)).mode & 0o777).toBe(0o700)
  })

  it('has an entry for each release, and one for all its copies', async () => {
    const { release, cache, source } = await setup()
    const made = await makeStored(cache, source)
    const data = join(release, 'w.data')
    const { mtime, atime } = await stat(data)
    const bytes = await readFile(data)
    const copy = await temporaryFolder()
    for (const name of ['w.data', 'r.json'])
      await writeFile(join(copy, name), await readFile(join(release, name)))
    await utimes(join(copy, 'w.data'), atime, mtime)
    await utimes(data, atime, mtime) // whole milliseconds: as the copy's
    const [one, two] = await Promise.all([release, copy].map((folder) => readPrefillRecipe(folder, 'r.json')))
    if (!(one && two)) throw new Error('no recipe')
    expect(await makeStored(cache, two)).toEqual(await makeStored(cache, one))

    bytes[3] = (bytes[3] ?? 0) ^ 1
    await writeFile(data, bytes)
    await utimes(data, atime, mtime)
    const changed = await makeStored(cache, source)
    expect(changed?.folder).not.toBe(made?.folder)
    await utimes(data, atime, new Date(mtime.getTime() + 1000))
    expect(await findStored(cache, source)).toBeUndefined()
  })

  it('makes an entry again that is cut short or has no index', async () => {
    const { cache, source } = await setup()
    const made = await makeStored(cache, source)
    const folder = made?.folder ?? ''
    const values = made && (await valuesOf(made))
    for (const damage of [
      () => truncate(join(folder, 'weights.bin'), 5000),
      () => writeFile(join(folder, 'index.json'), '{"bytes": 12'),
      () => writeFile(join(folder, 'index.json'), '{"bytes": 8224, "weights": [{"name": "a"}]}'),
    ]) {
      await damage()
      expect(await findStored(cache, source)).toBeUndefined()
      const again = await makeStored(cache, source)
      expect(again && (await valuesOf(again))).toEqual(values)
    }
  })

  it('is done without when weights are few, the disk is full or the folder cannot be made', async () => {
    const { cache, source } = await setup()
    expect(await makeStored({ ...cache, smallest: 2 * K * N + 1 }, source)).toBeUndefined()
    let [at, stored]: [number, StoredWeights | undefined] = [0, undefined]
    while (stored === undefined) {
      expect(await readdir(cache.folder).catch(() => []), `full at change ${at}`).toEqual([])
      const end = injectFault({ kind: 'full', at: ++at })
      stored = await makeStored(cache, source).finally(end)
    }
    expect(at).toBeGreaterThan(4)
    expect(await findStored(cache, source)).toEqual(stored)
    const parent = await temporaryFolder()
    await writeFile(join(parent, 'file'), '')
    expect(await makeStored({ ...cache, folder: join(parent, 'file', 'cache') }, source)).toBeUndefined()
  })

  it('leaves what is wrong with the release to the code that makes the weights', async () => {
    const { release, cache, source } = await setup()
    await truncate(join(release, 'w.data'), 636)
    await expect(makeStored(cache, source)).rejects.toThrow(/w.data ends at byte 636, wanted 640\./)
    expect(await readdir(cache.folder)).toEqual([])
    const missing = await readPrefillRecipe(release, 'r.json')
    expect(await findStored(cache, { ...missing, path: join(release, 'gone') })).toBeUndefined()
  })

  it('removes what nobody has used for a month, and what a process left half made', async () => {
    const { cache, source } = await setup()
    await mkdir(cache.folder, { recursive: true })
    const days = (count: number) => new Date(Date.now() - count * 24 * 3600 * 1000)
    const entries = { 'prompts-old': 40, 'prompts-new': 20, '.making-old': 2, '.making-new': 0, other: 99 }
    for (const [name, age] of Object.entries(entries)) {
      await mkdir(join(cache.folder, name))
      if (name.startsWith('prompts')) {
        await writeFile(join(cache.folder, name, 'index.json'), '{}')
        await utimes(join(cache.folder, name, 'index.json'), days(age), days(age))
      }
      await utimes(join(cache.folder, name), days(age), days(age))
    }
    const made = await makeStored(cache, source)
    const kept = (await readdir(cache.folder)).filter((name) => !made?.folder.endsWith(name))
    expect(kept.sort()).toEqual(['.making-new', 'other', 'prompts-new'])
  })

  it('is where the system keeps caches, or where the user says', () => {
    const before = process.env['QWEN3_ASR_CACHE']
    process.env['QWEN3_ASR_CACHE'] = '/some/where'
    expect(usualCache().folder).toBe('/some/where')
    process.env['QWEN3_ASR_CACHE'] = ''
    expect(usualCache().folder).toMatch(/qwen3-asr-onnx/)
    if (before === undefined) delete process.env['QWEN3_ASR_CACHE']
    else process.env['QWEN3_ASR_CACHE'] = before
  })
})
