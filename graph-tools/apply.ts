// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { type CommitOptions, commit, type FileChange } from './commit.ts'
import { EMBEDDINGS } from './contract.ts'
import { refuseDuplicates } from './duplicates.ts'
import { findAliases, locationsOf } from './folder.ts'
import { GraphError } from './graph-error.ts'
import { nameIn } from './journal.ts'
import { changeOf } from './keep-length.ts'
import type { Model } from './model.ts'
import { type OpenCheck, refuseUnopened } from './open-check.ts'
import { otherReaders } from './readers.ts'
import { refuseSnapshot } from './snapshot.ts'
import type { Edit } from './splice.ts'

/* Carrying out edits and placements of several graphs as one change. */

/** What shall become of some graphs and the files beside them. */
export interface Rewrite {
  /** edits of each model, in order */
  readonly edits: readonly (readonly Edit[])[]
  /** files beside the graphs that change with them */
  readonly data?: readonly FileChange[]
  /** data files that the graphs read afterwards; undefined when that does not change */
  readonly locations?: ReadonlySet<string>
}

/** Names of the files that a rewrite wrote and removed. */
export interface Rewritten {
  readonly written: readonly string[]
  readonly removed: readonly string[]
}

/** How a rewrite is carried out. */
export interface RewriteOptions extends Pick<CommitOptions, 'onProgress'> {
  /** tries the written graphs in a runtime before the old ones go */
  readonly opens?: OpenCheck
}

/**
 * Carry out a rewrite of graphs in their own folder, graphs and data files together or not at all. Data files that
 * nothing reads any more go; a model without edits is not written. A model that was written is stale: open it again.
 * @throws GraphError when a graph that was not given reads a data file that changes, a model is stale or has two
 * initializers of one name, the folder is one of huggingface_hub's cache, or a graph could not be opened any more
 * @throws whatever {@link commit} throws
 */
export async function rewriteInPlace(
  models: readonly Model[],
  rewrite: Rewrite,
  { onProgress, opens }: RewriteOptions = {},
): Promise<Rewritten> {
  const { edits, data = [], locations } = rewrite
  const folder = folderOf(models)
  refuseSnapshot(folder)
  for (const model of models) refuseDuplicates(model)
  const changed = new Set(data.map(({ path }) => nameIn(folder, path)))
  const left = new Set(
    models.flatMap(locationsOf).filter((location) => locations && !locations.has(location)),
  )
  const readers = await otherReaders(folder, models, new Set([...changed, ...left]))
  for (const [location, path] of readers) {
    if (changed.has(location))
      throw new GraphError(`${path} reads ${location} too, and would be broken.`, 'Give it as well.')
  }
  // The embedding table is read by programs too, not by graphs alone.
  const unused = [...left].filter((name) => !readers.has(name) && !changed.has(name) && name !== EMBEDDINGS)
  const removes = unused.map((location): FileChange => ({ path: join(folder, location), remove: true }))
  const graphs = await graphChanges(folder, models, edits)
  const changes = [...data, ...graphs, ...removes]
  const written = new Set(graphs.flatMap((change) => ('target' in change ? [] : [change.path])))
  await commit(folder, changes, {
    graphs: new Set(graphs.map(({ path }) => path)),
    ...(onProgress && { onProgress }),
    ...(opens && { beforeDecision: () => refuseUnopened(folder, changes, written, opens) }),
  })
  const names = (wanted: boolean) =>
    changes.filter((change) => 'remove' in change === wanted).map(({ path }) => basename(path))
  return { written: names(false), removed: names(true) }
}

/**
 * The one folder of some graphs.
 * @throws GraphError when they are in several, since external data is relative to it
 */
export function folderOf(models: readonly Model[]): string {
  const folders = [...new Set(models.map(({ folder }) => folder))]
  const [folder] = folders
  if (folder === undefined || folders.length > 1) {
    throw new GraphError(
      `The graphs are in ${folders.length} folders (${folders.join(', ')}), wanted 1.`,
      'Give graphs of one folder at a time.',
    )
  }
  return folder
}

/** Other names of a file stay other names of it. */
async function graphChanges(
  folder: string,
  models: readonly Model[],
  edits: Rewrite['edits'],
): Promise<FileChange[]> {
  const aliases = await findAliases(folder, models)
  const changes: FileChange[] = []
  for (const [i, model] of models.entries()) {
    const { path: target } = model
    const own = edits[i] ?? []
    if (own.length === 0 || target === undefined) continue
    changes.push(await changeOf({ ...model, path: target }, own))
    for (const [path, of] of aliases) if (of === target) changes.push({ path, target })
  }
  return changes
}
