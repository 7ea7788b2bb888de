// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { type OpenOptions, openDataset } from '../../eval/dataset/open.ts'
import { seededRandom } from '../../eval/random.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { collect } from './collect.ts'
import { temporaryFolder } from './folder.ts'

export const ALL = { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 1 } as const
export const RATE = 16_000

/** Noise of this many seconds, different for each seed. */
export function noise(seconds: number, seed = 1): Float32Array {
  const random = seededRandom(seed)
  return Float32Array.from(
    { length: Math.round(seconds * RATE) },
    () => Math.round(random() * 20_000 - 10_000) / 32_768 + 0,
  )
}

/** Of samples: comparing arrays of them element by element takes seconds. */
export function digest(samples: Float32Array | undefined): string {
  return createHash('sha256')
    .update(Float32Array.from(samples ?? []))
    .digest('hex')
}

export let root = ''

/** A new root, for `beforeEach` of each test file: files may share this module, whose own hook only the first would have. */
export async function freshRoot(): Promise<void> {
  root = await temporaryFolder()
}

/** A folder with these texts, and a recording wherever a name ends in .wav. */
export async function folder(
  name: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string> {
  const place = join(root, name)
  await mkdir(place, { recursive: true })
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(place, file)), { recursive: true })
    await writeFile(
      join(place, file),
      file.endsWith('.wav') && content === '' ? encodeWav(noise(0.5)) : content,
    )
  }
  return place
}

export const WAVS = { 'a.wav': '', 'b.wav': '' }

export async function open(path: string, more: Partial<OpenOptions> = {}) {
  const dataset = await openDataset(path, { selection: ALL, cache: join(root, 'cache'), ...more })
  const utterances = await collect(dataset)
  expect(dataset.keys).toEqual(utterances.map(({ key }) => key))
  expect(dataset.count).toBe(utterances.length)
  return { dataset, utterances }
}

/** Id and text of each utterance, and the name of its file. */
export async function heard(path: string, more: Partial<OpenOptions> = {}): Promise<string[]> {
  const { utterances } = await open(path, more)
  return utterances.map(({ id, text, path: file, problem }) => `${id}: ${text}${file ? '' : ` (${problem})`}`)
}
