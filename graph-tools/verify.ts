// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import * as v from 'valibot'
import { identityOf, READ_FLAGS, type Span } from './bytes.ts'
import { contractProblems, EMBEDDINGS, missingGraphs, type Sizes } from './contract.ts'
import { duplicateNames, duplicateProblem } from './duplicates.ts'
import { ALIGNMENT, externalRange } from './external-data.ts'
import { readRange } from './files.ts'
import { graphFiles, locationsOf } from './folder.ts'
import { GraphError } from './graph-error.ts'
import { isPending, PARTIAL } from './journal.ts'
import { type Model, openModel, type Tensor } from './model.ts'
import { dataFilesOf, foreignReaders, placeOf } from './readers.ts'
import { byteLength, contentOf } from './tensor-data.ts'

/** What was checked, and what is wrong. */
export interface VerifyReport {
  readonly graphs: number
  readonly dataFiles: number
  /** tensors whose place was checked */
  readonly tensors: number
  /** each a sentence that names the file; empty when all is well */
  readonly problems: readonly string[]
}

/** One tensor's range in a data file. */
interface Claim {
  readonly graph: string
  readonly tensor: Tensor
  readonly range: Span
}

/** Names that exporters give to data files: w.data, model.onnx_data, model.onnx_data_1, w.weights, w.bin. */
const DATA_FILE = /(\.(data|bin|weights)|[._]data(_\d+)?)$/i

/**
 * Check a folder of ONNX graphs without running or changing them. Every tensor's bytes exist and fit its type and
 * shape. Ranges of different tensors do not overlap by accident. No byte of a data file is unused, no incomplete file
 * is left, and graphs that the release contract names have its inputs and outputs, are complete, and of one size.
 * @param only names of the files to look at, where others may lie beside them
 * @throws GraphError when there is no such folder
 * @see https://github.com/onnx/onnx/blob/main/docs/ExternalData.md
 */
export async function verifyFolder(path: string, only?: readonly string[]): Promise<VerifyReport> {
  const folder = resolve(path)
  const isMeant = (name: string) => only?.includes(name) ?? true
  const files = (await graphFiles(folder)).filter((file) => isMeant(basename(file)))
  const problems: string[] = only ? [] : await strayFiles(folder)
  const { models, paths } = openGraphs(files, problems)
  if (paths.length === 0) problems.push(`${folder} holds no ONNX file.`)
  const { claims, tensors } = checkGraphs(models, problems)
  for (const model of await foreignReaders(folder)) claims.push(...foreignClaims(model, folder))
  const missing = missingGraphs(
    paths.map((graph) => basename(graph)),
    (await readdir(folder)).filter(isMeant),
  )
  if (missing.length > 0) {
    problems.push(
      `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing: a release has all graphs.`,
    )
  }
  const byPath = new Map<string, Claim[]>()
  for (const claim of claims) {
    const own = byPath.get(claim.range.path)
    if (own) own.push(claim)
    else byPath.set(claim.range.path, [claim])
  }
  for (const [path, own] of byPath) problems.push(...(await checkData(path, own)))
  const named = models.flatMap((model) => locationsOf(model).map((location) => join(folder, location)))
  problems.push(...(await unreadData(folder, [...byPath.keys(), ...named], isMeant)))
  return { graphs: paths.length, dataFiles: byPath.size, tensors, problems }
}

/**
 * The graphs of a folder, as a runtime can open them: what is called *.onnx, except the data files among it.
 * @throws GraphError when there is no such folder
 */
export async function graphsToOpen(folder: string): Promise<readonly string[]> {
  return openGraphs(await graphFiles(resolve(folder)), []).paths
}

/** Data files may be called *.onnx too: what is not a model, and is read by one, is not a graph. */
function openGraphs(files: readonly string[], problems: string[]): { models: Model[]; paths: string[] } {
  const opened = files.map((path) => {
    const own: string[] = []
    return { path, model: attempt(() => openModel(path), own), own }
  })
  const models = opened.flatMap(({ model }) => model ?? [])
  const data = new Set(models.flatMap(dataFilesOf))
  const graphs = opened.filter(({ path, model }) => model || !data.has(placeOf(path)))
  problems.push(...graphs.flatMap(({ own }) => own))
  return { models, paths: graphs.map(({ path }) => path) }
}

/** Each graph on its own; sizes must agree between them. */
function checkGraphs(models: readonly Model[], problems: string[]): { claims: Claim[]; tensors: number } {
  const claims: Claim[] = []
  const sizes: Sizes = new Map()
  let tensors = 0
  for (const model of models) {
    const graph = basename(model.path ?? '')
    problems.push(...contractProblems(graph, model, sizes).map((problem) => `${graph} ${problem}.`))
    problems.push(...duplicateNames(model).map((name) => `${graph}: ${duplicateProblem(name)}`))
    for (const tensor of model.tensors) {
      tensors++
      const claim = attempt(() => claimOf(graph, model, tensor), problems, `${graph}: `)
      if (claim) claims.push(claim)
    }
  }
  return { claims, tensors }
}

/** What graphs of other folders, or with other names, read of data files that are in this one. */
function foreignClaims(model: Model, folder: string): Claim[] {
  const graph = relative(folder, model.path ?? '')
  return model.tensors.flatMap((tensor) => {
    const claim = attempt(() => claimOf(graph, model, tensor), [])
    const isOurs = claim && dirname(placeOf(claim.range.path)) === placeOf(folder)
    return isOurs
      ? [{ ...claim, range: { ...claim.range, path: join(folder, basename(claim.range.path)) } }]
      : []
  })
}

/** Inside a proto the length is checked at once; outside, the range is a claim on a data file. */
function claimOf(graph: string, model: Model, tensor: Tensor): Claim | undefined {
  if (tensor.location === undefined) {
    if ((byteLength(tensor) ?? 0) > 0 && contentOf(model, tensor) === undefined) {
      throw new GraphError(`Tensor ${tensor.name} has no bytes.`)
    }
    return undefined
  }
  return { graph, tensor, range: externalRange(tensor, model.folder, byteLength(tensor)) }
}

async function checkData(path: string, claims: readonly Claim[]): Promise<string[]> {
  const name = basename(path)
  const info = await stat(path).catch(() => undefined)
  if (!info?.isFile()) {
    const found = info ? 'not a regular file' : 'missing'
    return [`${name} is ${found}, but ${claims[0]?.graph} reads ${claims.length} tensors from it.`]
  }
  const problems: string[] = []
  const ordered = [...claims].sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end)
  let end = 0
  let last: Claim | undefined
  for (const claim of ordered) {
    const { start, end: claimEnd } = claim.range
    const who = `${claim.graph}: ${claim.tensor.name}`
    if (claimEnd > info.size)
      problems.push(`${who} reaches to byte ${claimEnd} of ${name}, which has ${info.size}.`)
    const isSame = last && last.range.start === start && last.range.end === claimEnd
    if (start < end && !isSame) {
      problems.push(`${who} at byte ${start} of ${name} overlaps ${last?.graph}: ${last?.tensor.name}.`)
    } else if (start > end) problems.push(...(await gapProblem(path, end, Math.min(start, info.size))))
    if (claimEnd > end) [end, last] = [claimEnd, claim]
  }
  if (info.size > end && (await gapProblem(path, end, info.size)).length > 0)
    problems.push(`${name} has ${info.size - end} bytes after byte ${end} that nothing reads.`)
  return problems
}

/** Zeros up to here are padding: writers let data start on a page, or where Windows can map it (64 KiB). */
const PADDING_LIMIT = 1 << 16

/** Between two tensors, and behind the last one, lies only padding. */
async function gapProblem(path: string, start: number, end: number): Promise<string[]> {
  const gap = end - start
  const place = `${basename(path)}: ${gap} bytes from byte ${start}`
  if (gap > PADDING_LIMIT) return [`${place} are read by nothing.`]
  const info = await stat(path, { bigint: true })
  for await (const chunk of readRange({ path, identity: identityOf(info), start, end })) {
    if (chunk.every((byte) => byte === 0)) continue
    return [
      gap < ALIGNMENT ? `${place} are read by nothing and are not padding.` : `${place} are read by nothing.`,
    ]
  }
  return []
}

/** @param read what graphs name, also where what they say of it is wrong */
async function unreadData(
  folder: string,
  read: readonly string[],
  isMeant: (name: string) => boolean,
): Promise<string[]> {
  const targets = await Promise.all(read.map((path) => realpath(path).catch(() => path)))
  const known = new Set([...read, ...targets])
  const home = await realpath(folder)
  const isRead = (name: string) => known.has(join(folder, name)) || known.has(join(home, name))
  const names = (await readdir(folder)).filter(
    (name) => DATA_FILE.test(name) && isMeant(name) && !isRead(name),
  )
  return names
    .filter((name) => name !== EMBEDDINGS)
    .map((name) => `${name} is read by no graph.`)
    .concat(await wrongEmbeddings(folder))
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1))
/** What config.json says of the embedding table; a missing type is float32. */
const TABLE = v.object({
  embed_tokens_dtype: v.optional(v.picklist(['float16', 'float32']), 'float32'),
  embed_tokens_shape: v.strictTuple([count, count]),
})

/** embed_tokens.bin is a headerless table whose type and shape are in config.json. */
async function wrongEmbeddings(folder: string): Promise<string[]> {
  const path = join(folder, EMBEDDINGS)
  const info = await stat(path).catch(() => undefined)
  if (!info) return []
  const text = await readFile(join(folder, 'config.json'), { encoding: 'utf8', flag: READ_FLAGS }).catch(
    () => undefined,
  )
  if (text === undefined) return ['embed_tokens.bin has no config.json beside it with its type and shape.']
  const config = parsed(text)
  if (config === undefined) return ['config.json is not valid JSON.']
  const table = v.safeParse(TABLE, config)
  if (!table.success)
    return [
      'config.json does not describe embed_tokens.bin: wanted embed_tokens_dtype "float16" or "float32", ' +
        'and embed_tokens_shape of two sizes.',
    ]
  const { embed_tokens_dtype: type, embed_tokens_shape: shape } = table.output
  const wanted = shape[0] * shape[1] * (type === 'float16' ? 2 : 4)
  if (wanted === info.size) return []
  return [
    `embed_tokens.bin has ${info.size} bytes, config.json requires ${wanted} (${type} [${shape.join(', ')}]).`,
  ]
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What a pending change has written is needed to finish it; anything else that is half written may go. */
async function strayFiles(folder: string): Promise<string[]> {
  if (await isPending(folder))
    return ['A change of this folder was interrupted; the next command that rewrites here finishes it.']
  const stray = (await readdir(folder)).filter((name) => name.endsWith(PARTIAL))
  return stray.map((name) => `${name} is left over from a run that was stopped. Delete it.`)
}

function attempt<T>(make: () => T, problems: string[], prefix = ''): T | undefined {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
    problems.push(prefix + error.message)
    return undefined
  }
}
