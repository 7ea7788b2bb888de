// SPDX-License-Identifier: Apache-2.0

import { basename, dirname, resolve } from 'node:path'
import { alias } from '../../graph-tools/alias.ts'
import { folderOf } from '../../graph-tools/apply.ts'
import { recover } from '../../graph-tools/commit.ts'
import { EMBEDDINGS } from '../../graph-tools/contract.ts'
import { embedFp16 } from '../../graph-tools/embed-fp16.ts'
import { externalize, inlineWeights } from '../../graph-tools/externalize.ts'
import { locationsOf } from '../../graph-tools/folder.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import type { Placement } from '../../graph-tools/place.ts'
import { renameData } from '../../graph-tools/rename-data.ts'
import { shareWeights } from '../../graph-tools/share.ts'
import { stripAllowzero } from '../../graph-tools/strip-allowzero.ts'
import { stripTraces } from '../../graph-tools/strip-traces.ts'
import { type Head, tieHeads } from '../../graph-tools/tie.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { formatBytes } from '../shared/output-files.ts'
import { refuseAlias } from './alias-check.ts'
import { configChange, type EmbeddingConfig } from './embedding-config.ts'
import { changesOf, eachAlone, nameOf, type Planned, together, type Ui } from './rewriting.ts'

/* Subcommands of `npm run graph` that rewrite graphs. */

/**
 * Remove allowzero from every Reshape whose shape provably holds no 0.
 * @returns names of the Reshape nodes that keep the attribute
 */
export async function runStripAllowzero(
  files: readonly string[],
  assumeNonzero: boolean,
  ui: Ui,
): Promise<string[]> {
  const left: string[] = []
  await eachAlone(files, ui, async (model) => {
    const { edits, stripped, unproved } = stripAllowzero(model, assumeNonzero)
    left.push(...unproved)
    const rest = `  left at ${unproved.length} whose shape may hold a 0: ${unproved.join(', ')}`
    return {
      rewrite: { edits: [edits] },
      facts: { stripped, unproved },
      text: () => [
        `${nameOf(model)}: allowzero removed from ${stripped} Reshape nodes`,
        ...(unproved.length > 0 ? [rest] : []),
      ],
    }
  })
  return left
}

/** Remove the exporter's metadata. */
export async function runStripTraces(files: readonly string[], ui: Ui): Promise<void> {
  await eachAlone(files, ui, async (model) => {
    const edits = stripTraces(model)
    const before = model.bytes.length
    return {
      rewrite: { edits: [edits] },
      facts: { stripped: edits.length, before },
      text: () => {
        const after = openModel(model.path ?? '').bytes.length
        return [
          `${nameOf(model)}: ${edits.length} traces removed, ${formatBytes(before)} -> ${formatBytes(after)}`,
        ]
      },
    }
  })
}

/** Move weights to one data file of all graphs, or to one of each. */
export async function runExternalize(
  files: readonly string[],
  { data, threshold }: { data: string | undefined; threshold: number },
  ui: Ui,
): Promise<void> {
  const plan = async (models: readonly Model[], location: string) =>
    placed(await externalize(models, { folder: folderOf(models), location, threshold, ...compared(ui) }))
  if (data !== undefined) await together(files, ui, (models) => plan(models, data))
  else await eachAlone(files, ui, (model) => plan([model], `${nameOf(model)}.data`))
}

/** Move weights from data files into their graphs. */
export async function runInline(files: readonly string[], ui: Ui): Promise<void> {
  await eachAlone(files, ui, async (model) => placed(await inlineWeights(model)))
}

/** Put the weights of several graphs into one data file. */
export async function runShare(
  files: readonly string[],
  { data, minimum }: { data: string; minimum: number },
  ui: Ui,
): Promise<void> {
  await together(files, ui, async (models) => {
    const options = { location: data, minimum, keep: [EMBEDDINGS], ...compared(ui) }
    return placed(await shareWeights(models, { folder: folderOf(models), ...options }))
  })
}

/** Store one lm_head for the graphs of each precision. */
export async function runTie(
  files: readonly string[],
  { data }: { data: string | undefined },
  ui: Ui,
): Promise<void> {
  await together(files, ui, async (models) => {
    const location = data === undefined ? {} : { location: data }
    const tie = await tieHeads(models, { folder: folderOf(models), ...location, ...compared(ui) })
    const heads = tie.groups.map(headOf)
    const text = heads.map(
      ({ operator, tensors, graphs }) =>
        `one ${operator} lm_head (${tensors.join(', ')}) for ${graphs.join(', ')}`,
    )
    return placed(tie, { heads }, text)
  })
}

/** Move the embedding table to embed_tokens.bin as FP16, for all graphs that have it. */
export async function runEmbedFp16(files: readonly string[], ui: Ui): Promise<void> {
  await together(files, ui, async (models) => {
    const folder = folderOf(models)
    const plan = await embedFp16(models, { folder, location: EMBEDDINGS, ...compared(ui) })
    const config = await configChange(folder, plan.shape)
    const readers = plan.tables.map(({ model }) => nameOf(model))
    const names = [...new Set(plan.tables.map(({ tensor }) => tensor.name))].join(', ')
    const text = [
      ...(readers.length > 0
        ? [`${names} [${plan.shape.join(', ')}]: FP16 in ${EMBEDDINGS}, read by ${readers.join(', ')}`]
        : []),
      ...configText(config),
    ]
    const rewrite = { ...plan, data: [...plan.data, ...config.changes] }
    return placed(rewrite, { shape: plan.shape, readers, config: config.state }, text)
  })
}

/** Rename a data file, in the folder and in its graphs. */
export async function runRenameData(
  files: readonly string[],
  { from, to }: { from: string | undefined; to: string },
  ui: Ui,
): Promise<void> {
  await together(files, ui, async (models) => {
    const old = from ?? onlyLocation(models)
    const graphs = models.map(nameOf).join(', ')
    return {
      rewrite: renameData(models, folderOf(models), old, to),
      facts: { from: old, to },
      text: () => [`${old} is now ${to}, for ${graphs}`],
    }
  })
}

/** Give a graph a second name. */
export async function runAlias(target: string, name: string, ui: Ui): Promise<void> {
  for (const path of [target, name]) await recover(dirname(resolve(path)))
  await refuseAlias(openModel(target), resolve(name))
  const kind = await alias(target, name)
  const graphs = [basename(target)]
  const text = [`${name} is a ${kind} of ${target}`]
  ui.report({
    graphs,
    written: [basename(name)],
    removed: [],
    facts: { kind, folder: dirname(resolve(name)) },
    text,
  })
}

function placed(
  placement: Placement,
  facts: Readonly<Record<string, unknown>> = {},
  text: readonly string[] = [],
): Planned {
  const { tensors, stored, bytes } = placement
  const sum = `${tensors} tensors, ${stored} different ones stored, ${formatBytes(bytes)}`
  return {
    rewrite: placement,
    facts: { tensors, stored, bytes, ...facts },
    text: (done) => [...text, ...(stored > 0 ? [sum] : []), ...changesOf(done)],
  }
}

function compared(ui: Ui) {
  return { onCompared: (done: number, total: number) => ui.onBytes('comparing', done, total) }
}

function headOf(group: readonly Head[]) {
  const [first] = group
  return {
    operator: first?.node.opType ?? '',
    tensors: first?.tensors.map(({ name }) => name) ?? [],
    graphs: group.map(({ model }) => nameOf(model)),
  }
}

function configText({ state }: EmbeddingConfig): string[] {
  if (state !== 'missing') return []
  return ['There is no config.json: without its embed_tokens_dtype readers take the table for float32.']
}

function onlyLocation(models: readonly Model[]): string {
  const all = [...new Set(models.flatMap(locationsOf))]
  const [only, another] = all
  if (only !== undefined && another === undefined) return only
  throw new Failure(
    `The graphs read ${all.length} data files${all.length > 0 ? ` (${all.join(', ')})` : ''}, wanted 1.`,
    'Name one with --from.',
    EXIT.usage,
  )
}
