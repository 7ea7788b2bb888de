import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { locationsOf } from '../../graph-tools/folder.ts'
import { openModel } from '../../graph-tools/model.ts'
import { Failure } from '../failure.ts'
import { exists } from '../files.ts'
import { hashFiles } from '../hash-cache.ts'
import {
  DECODERS,
  EMBEDDINGS,
  JSON_FILES,
  type Layout,
  PREFILL,
  prefillRecipe,
  type Variant,
  variantLabel,
} from '../layout.ts'

/** The files that a reader loads for one variant. */
export interface VariantFiles {
  readonly paths: readonly string[]
  readonly bytes: number
}

/**
 * What a variant consists of, whatever its layout: its graphs, or FP32 ones in their place, and their data files.
 * @param variant '' for FP32
 * @throws Failure when no graph of the variant is there
 */
export async function variantFilesOf(folder: string, variant: string): Promise<VariantFiles> {
  const graphs: string[] = []
  for (const graph of ['encoder', ...DECODERS, PREFILL]) {
    const candidates = [...(variant === '' ? [] : [`${graph}.${variant}.onnx`]), `${graph}.onnx`]
    for (const name of candidates) {
      if (!(await exists(join(folder, name)))) continue
      graphs.push(name)
      break
    }
  }
  const own = graphs.filter((name) => variant === '' || name.includes(`.${variant}.`))
  if (own.length === 0) {
    throw new Failure(
      `${folder} holds no graph of the variant ${variant || 'FP32'}.`,
      'Give NAME:FOLDER or NAME:FOLDER:VARIANT of a release directory; the pipeline makes one.',
    )
  }
  const data = graphs.flatMap((name) => locationsOf(openModel(join(folder, name))))
  const recipe = variant === '' ? [] : [prefillRecipe(variant)]
  const names = [...new Set([...graphs, ...data, ...recipe, EMBEDDINGS, ...JSON_FILES])]
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

/** A hash of files by name and content, kept in the folder `cache` for files that have not changed. */
export async function fingerprintFiles(paths: readonly string[], cache: string): Promise<string> {
  const hashes = await hashFiles(paths, { cache: join(cache, 'fingerprints.json'), algorithm: 'blake2b512' })
  const all = createHash('sha256')
  for (const [i, path] of paths.entries()) all.update(`${basename(path)} ${hashes[i]?.slice(0, 32)}\n`)
  return all.digest('hex').slice(0, 16)
}

/** Identifies the files of each variant, by its label. */
export type Fingerprints = Readonly<Record<string, string>>

export async function fingerprintVariants(
  { model, work }: Pick<Layout, 'model' | 'work'>,
  variants: readonly Variant[],
): Promise<Fingerprints> {
  const entries: [string, string][] = []
  for (const variant of variants) {
    const { paths } = await variantFilesOf(model, variant)
    entries.push([variantLabel(variant), await fingerprintFiles(paths, work)])
  }
  return Object.fromEntries(entries)
}
