// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { EMBEDDINGS, JSON_FILES, prefillRecipe } from '../../eval/runtime/graphs.ts'
import { openRelease } from '../../eval/runtime/release.ts'
import { locationsOf } from '../../graph-tools/folder.ts'
import { openModel } from '../../graph-tools/model.ts'
import { hashFiles } from '../shared/hash-cache.ts'
import type { Paths } from '../shared/paths.ts'

/** The files that a reader loads for one variant. */
export interface VariantFiles {
  readonly paths: readonly string[]
  readonly bytes: number
}

/**
 * What a variant consists of, whatever its layout: its graphs, or FP32 ones in their place, and their data files.
 * @throws SpeechError when there is no such variant
 */
export async function variantFilesOf(folder: string, variant: string): Promise<VariantFiles> {
  const release = await openRelease(folder)
  const { name: variantName, graphs, table = EMBEDDINGS } = release.variant(variant)
  const files = [...graphs.values()]
  const data = files.flatMap((name) => locationsOf(openModel(join(folder, name))))
  const names = [
    ...new Set([...files, ...data, prefillRecipe(variantName, release.family), table, ...JSON_FILES]),
  ]
  const paths: string[] = []
  let bytes = 0
  for (const path of names.map((name) => join(folder, name))) {
    const info = await stat(path).catch(() => undefined)
    if (!info) continue
    paths.push(path)
    bytes += info.size
  }
  return { paths, bytes }
}

/**
 * A hash of files by name and content, kept in the folder `cache` for files that have not changed. Of config.json, what
 * it says of all variants counts: which others a release has changes nothing of what one computes.
 */
export async function fingerprintFiles(paths: readonly string[], cache: string): Promise<string> {
  const files = paths.filter((path) => basename(path) !== CONFIG)
  const hashes = await hashFiles(files, { cache: join(cache, 'fingerprints.json'), algorithm: 'blake2b512' })
  const all = createHash('sha256')
  for (const [i, path] of files.entries()) all.update(`${basename(path)} ${hashes[i]?.slice(0, 32)}\n`)
  for (const path of paths.filter((path) => basename(path) === CONFIG))
    all.update(`${CONFIG} ${JSON.stringify(ofAllVariants(await readConfig(path)))}\n`)
  return all.digest('hex').slice(0, 16)
}

const CONFIG = 'config.json'
/** Keys of config.json that list files or variants. */
const OF_VARIANTS = ['graphs', 'quicker_prompts', 'embed_tokens_quantized', 'quantization']

async function readConfig(path: string): Promise<unknown> {
  return JSON.parse(await readFile(path, 'utf8'))
}

/** What config.json says but of single variants. */
function ofAllVariants(value: unknown): unknown {
  if (Array.isArray(value) || typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key]) => !OF_VARIANTS.includes(key))
  return Object.fromEntries(kept.map(([key, one]) => [key, ofAllVariants(one)]))
}

/** Identifies the files of each variant. */
export type Fingerprints = Readonly<Record<string, string>>

/**
 * Hash the files of each variant; hashes of files that have not changed are kept in the work folder.
 * @throws SpeechError when there is no such variant
 */
export async function fingerprintVariants(
  { model, work }: Pick<Paths, 'model' | 'work'>,
  variants: readonly string[],
): Promise<Fingerprints> {
  const entries: [string, string][] = []
  for (const variant of variants) {
    const { paths } = await variantFilesOf(model, variant)
    entries.push([variant, await fingerprintFiles(paths, work)])
  }
  return Object.fromEntries(entries)
}
