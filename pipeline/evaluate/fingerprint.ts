import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { hashFile } from '../../eval/hash-file.ts'
import { locationsOf } from '../../graph-tools/folder.ts'
import { openModel } from '../../graph-tools/model.ts'
import { Failure } from '../failure.ts'
import { exists } from '../files.ts'
import { DECODERS, EMBEDDINGS, JSON_FILES, PREFILL, prefillRecipe } from '../layout.ts'

/** Hashes that are known, by path; a changed file has another size, time or inode. */
type Known = Record<string, { readonly identity: string; readonly hash: string }>

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

/**
 * A hash of files by name and content. Reading gigabytes takes seconds, so hashes are kept in `cache` for files that
 * have not changed.
 */
export async function fingerprintFiles(paths: readonly string[], cache: string): Promise<string> {
  const index = join(cache, 'fingerprints.json')
  const known: Known = await readFile(index, 'utf8').then(JSON.parse, () => ({}))
  const all = createHash('sha256')
  let isNew = false
  for (const path of paths.map((path) => resolve(path))) {
    const { size, mtimeMs, ino } = await stat(path)
    const identity = `${size} ${mtimeMs} ${ino}`
    if (known[path]?.identity !== identity) {
      known[path] = { identity, hash: (await hashFile(path, 'blake2b512')).slice(0, 32) }
      isNew = true
    }
    all.update(`${basename(path)} ${known[path]?.hash}\n`)
  }
  if (isNew) await keep(index, known)
  return all.digest('hex').slice(0, 16)
}

/** Parts of an evaluation that run side by side share the cache: the last one to write wins, which costs time only. */
async function keep(index: string, known: Known): Promise<void> {
  const partial = `${index}.${randomUUID()}.partial`
  await mkdir(dirname(index), { recursive: true })
  await writeFile(partial, JSON.stringify(known))
  await rename(partial, index)
}
