import { basename, dirname, join, resolve } from 'node:path'
import { alias } from '../../graph-tools/alias.ts'
import { folderOf, isRead, rewriteInPlace } from '../../graph-tools/apply.ts'
import { recover } from '../../graph-tools/commit.ts'
import { embeddingFp16, findEmbedding, readEmbeddingFp16 } from '../../graph-tools/embed-fp16.ts'
import { locationOf } from '../../graph-tools/external-data.ts'
import { externalize, inlineWeights } from '../../graph-tools/externalize.ts'
import { locationsOf } from '../../graph-tools/folder.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import { type Placement, placeWeights } from '../../graph-tools/place.ts'
import { renameData } from '../../graph-tools/rename-data.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { tieHeads } from '../../graph-tools/tie.ts'
import { EXIT, Failure } from '../failure.ts'
import { formatBytes } from '../files.ts'
import { EMBEDDINGS } from '../layout.ts'
import { embeddingConfig } from './embedding-config.ts'

export type Say = (line: string) => void
export type OnBytes = (what: string, done: number, total: number) => void

/** Open graphs; a change of their folder that was interrupted is finished first. */
export async function openGraphs(files: readonly string[]): Promise<Model[]> {
  for (const folder of new Set(files.map((file) => dirname(resolve(file))))) await recover(folder)
  return files.map(openModel)
}

/** @returns names of the Reshape nodes that keep the attribute */
export async function runStripAllowzero(
  files: readonly string[],
  assumeNonzero: boolean,
  say: Say,
): Promise<string[]> {
  const left: string[] = []
  for (const model of await openGraphs(files)) {
    const { edits, stripped, unproved } = stripAllowzero(model, assumeNonzero)
    await rewriteInPlace([model], { edits: [edits] })
    say(`${nameOf(model)}: allowzero removed from ${stripped} Reshape nodes`)
    if (unproved.length > 0)
      say(`  left at ${unproved.length} whose shape may hold a 0: ${unproved.join(', ')}`)
    left.push(...unproved)
  }
  return left
}

export async function runStripTraces(files: readonly string[], say: Say): Promise<void> {
  for (const model of await openGraphs(files)) {
    const edits = stripTraces(model)
    await rewriteInPlace([model], { edits: [edits] })
    const [after] = await openGraphs([model.path ?? ''])
    const sizes = `${formatBytes(model.bytes.length)} -> ${formatBytes(after?.bytes.length ?? 0)}`
    say(`${nameOf(model)}: ${edits.length} traces removed, ${sizes}`)
  }
}

export async function runExternalize(
  files: readonly string[],
  { data, threshold }: { data: string | undefined; threshold: number },
  say: Say,
  onBytes: OnBytes,
): Promise<void> {
  for (const model of await openGraphs(files)) {
    const location = data ?? `${nameOf(model)}.data`
    const placement = await externalize(model, { folder: model.folder, location, threshold })
    await apply([model], placement, say, onBytes)
  }
}

export async function runInline(files: readonly string[], say: Say, onBytes: OnBytes): Promise<void> {
  for (const model of await openGraphs(files)) await apply([model], await inlineWeights(model), say, onBytes)
}

export async function runShare(
  files: readonly string[],
  { data, minimum }: { data: string; minimum: number },
  say: Say,
  onBytes: OnBytes,
): Promise<void> {
  // The order of the arguments, which may be a shell's, decides nothing.
  const models = await openGraphs([...files].sort())
  const folder = folderOf(models)
  const placement = await shareWeights(models, {
    folder,
    location: data,
    minimum,
    keep: [EMBEDDINGS],
    onCompared: (done, total) => onBytes('comparing', done, total),
  })
  await apply(models, placement, say, onBytes)
}

export async function runTie(
  files: readonly string[],
  { data }: { data: string | undefined },
  say: Say,
  onBytes: OnBytes,
): Promise<void> {
  const models = await openGraphs([...files].sort())
  const tie = await tieHeads(models, {
    folder: folderOf(models),
    ...(data !== undefined && { location: data }),
  })
  for (const group of tie.groups) {
    const [first] = group
    const bytes = first?.tensors.map(({ name }) => name).join(', ')
    say(
      `one ${first?.node.opType} lm_head (${bytes}) for ${group.map(({ model }) => nameOf(model)).join(', ')}`,
    )
  }
  await apply(models, tie, say, onBytes)
}

/** The Gather of the graph that has one; data files that the FP32 table leaves are packed anew. */
export async function runEmbedFp16(files: readonly string[], say: Say, onBytes: OnBytes): Promise<void> {
  const models = await openGraphs(files)
  const folder = folderOf(models)
  const found = models.flatMap((model) => {
    const table = findEmbedding(model)
    return table ? [{ model, table }] : []
  })
  const [one] = found
  if (!one || found.length > 1) {
    throw new Failure(
      `Found ${found.length} graphs with an FP32 embedding table that input_ids looks up, wanted 1.`,
      'Give the graph that takes input_ids (decoder_init.onnx), and those that share its data file.',
    )
  }
  const { model, table } = one
  const { edits, isGone } = readEmbeddingFp16(model.graph, table, EMBEDDINGS)
  const old = isGone && table.tensor.external.size > 0 ? locationOf(table.tensor) : undefined
  const placement = await placeWeights(
    models,
    (tensor) => {
      if (tensor === table.tensor) return isGone ? 'gone' : 'stay'
      return old !== undefined && locationOf(tensor) === old ? { location: old } : 'stay'
    },
    { folder },
  )
  const config = await embeddingConfig(folder, table.shape)
  const halves = { path: join(folder, EMBEDDINGS), content: [embeddingFp16(model, table)] }
  const withTable: Placement = {
    ...placement,
    edits: placement.edits.map((list, i) => (models[i] === model ? [...edits, ...list] : list)),
    data: [halves, ...placement.data, ...config],
    locations: new Set([...placement.locations, EMBEDDINGS]),
  }
  say(`${table.tensor.name} [${table.shape.join(', ')}]: FP16 in ${EMBEDDINGS}, read by ${nameOf(model)}`)
  await apply(models, withTable, say, onBytes)
}

export async function runRenameData(
  files: readonly string[],
  { from, to }: { from: string | undefined; to: string },
  say: Say,
): Promise<void> {
  const models = await openGraphs(files)
  const all = [...new Set(models.flatMap(locationsOf))]
  const [only, another] = all
  if (from === undefined && (only === undefined || another !== undefined)) {
    throw new Failure(
      `The graphs read ${all.length} data files${all.length > 0 ? ` (${all.join(', ')})` : ''}, wanted 1.`,
      'Say which with --from.',
      EXIT.usage,
    )
  }
  const folder = folderOf(models)
  const old = from ?? only ?? ''
  if (isRead(models, to)) throw new Failure(`The graphs read a file ${to} already.`, 'Choose another name.')
  const { edits, data } = renameData(models, folder, old, to)
  await rewriteInPlace(models, { edits, data })
  say(`${old} is now ${to}, for ${models.map(nameOf).join(', ')}`)
}

export async function runAlias(target: string, name: string, say: Say): Promise<void> {
  await recover(dirname(resolve(target)))
  openModel(target)
  say(`${name} is a ${await alias(target, name)} of ${target}`)
}

async function apply(
  models: readonly Model[],
  placement: Placement,
  say: Say,
  onBytes: OnBytes,
): Promise<void> {
  const { written, removed } = await rewriteInPlace(models, placement, {
    onProgress: (done, total) => onBytes('writing', done, total),
  })
  if (placement.stored > 0) {
    say(
      `${placement.tensors} tensors, ${placement.stored} different ones stored, ${formatBytes(placement.bytes)}`,
    )
  }
  if (written.length === 0) say('nothing to change')
  else say(`written: ${written.join(', ')}`)
  if (removed.length > 0) say(`removed: ${removed.join(', ')}`)
}

function nameOf(model: Model): string {
  return basename(model.path ?? 'model')
}
