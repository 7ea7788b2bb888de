import { lstat } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { type CommitOptions, commit, type FileChange } from './commit.ts'
import { graphFiles, locationsOf, otherReaders } from './folder.ts'
import { GraphError } from './graph-error.ts'
import { changeOf } from './keep-length.ts'
import type { Model } from './model.ts'
import type { Edit } from './splice.ts'

export interface Rewrite {
  /** edits of each model, in order */
  readonly edits: readonly (readonly Edit[])[]
  /** files beside the graphs that change with them */
  readonly data?: readonly FileChange[]
  /** data files that the graphs read afterwards; undefined when that does not change */
  readonly locations?: ReadonlySet<string>
}

/**
 * Carry out a rewrite of graphs in their own folder, graphs and data files together or not at all. Data files that
 * nothing reads any more go; a model without edits is not written.
 * @returns the names of the files written and removed
 * @throws GraphError when a graph that was not given reads a data file that changes
 */
export async function rewriteInPlace(
  models: readonly Model[],
  rewrite: Rewrite,
  options: CommitOptions = {},
): Promise<{ written: string[]; removed: string[] }> {
  const { edits, data = [], locations } = rewrite
  const folder = folderOf(models)
  const aliases = await findAliases(folder, models)
  const changed = new Set(data.map(({ path }) => relative(folder, path)))
  const left = models.flatMap(locationsOf).filter((location) => locations && !locations.has(location))
  const known = new Set([...models.map(({ path }) => path), ...aliases.keys()])
  const readers = await otherReaders(folder, known, new Set([...changed, ...left]))
  for (const [location, path] of readers) {
    if (changed.has(location))
      throw new GraphError(`${path} reads ${location} too, and would be broken.`, 'Give it as well.')
  }
  const graphs: FileChange[] = []
  for (const [i, model] of models.entries()) {
    const own = edits[i] ?? []
    const target = model.path
    if (own.length === 0 || target === undefined) continue
    graphs.push(await changeOf({ ...model, path: target }, own))
    // Other names of a file stay other names of it.
    for (const [path, of] of aliases) if (of === target) graphs.push({ path, target })
  }
  const unused = [...new Set(left)].filter((location) => !readers.has(location) && !changed.has(location))
  const removes = unused.map((location): FileChange => ({ path: join(folder, location), remove: true }))
  const changes = [...data, ...graphs, ...removes]
  await commit(folder, changes, options)
  const names = (wanted: boolean) =>
    changes.filter((change) => 'remove' in change === wanted).map(({ path }) => basename(path))
  return { written: names(false), removed: names(true) }
}

/** Graph files of the folder that are other names (hard links) of given ones and were not given themselves. */
async function findAliases(folder: string, models: readonly Model[]): Promise<Map<string, string>> {
  const given = new Map<string, string>()
  for (const { path } of models) if (path !== undefined) given.set(await inodeOf(path), path)
  const aliases = new Map<string, string>()
  for (const path of await graphFiles(folder)) {
    const target = given.get(await inodeOf(path))
    if (target !== undefined && !models.some((model) => model.path === path)) aliases.set(path, target)
  }
  return aliases
}

async function inodeOf(path: string): Promise<string> {
  const { dev, ino } = await lstat(path, { bigint: true })
  return `${dev} ${ino}`
}

/**
 * The one folder of some graphs.
 * @throws GraphError when they are in several, since external data is relative to it
 */
export function folderOf(models: readonly Model[]): string {
  const folders = [...new Set(models.map(({ folder }) => folder))]
  const [folder] = folders
  if (folder === undefined || folders.length > 1) {
    throw new GraphError(`The graphs are in ${folders.length} folders (${folders.join(', ')}), wanted 1.`)
  }
  return folder
}

/** Whether any of the graphs reads this data file. */
export function isRead(models: readonly Model[], location: string): boolean {
  return models.some((model) => locationsOf(model).includes(location))
}
