// SPDX-License-Identifier: Apache-2.0

import { realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { resolveLocation } from './external-data.ts'
import { filesIn, inodeOf, locationsOf, pathsByInode } from './folder.ts'
import { GraphError } from './graph-error.ts'
import { type Model, openModel } from './model.ts'

/* Graphs that read the same data files as those that are rewritten. */

/** What ONNX files are called; a file of another name that is one by its content counts too. */
const GRAPH = /\.onnx$/i

/**
 * Which graphs read one of `locations` of a folder, other than given ones under whatever name: graphs in the folder, in
 * that of the data file, and in the folder above, whatever their files are called.
 * @returns location to the path of the first such graph
 * @throws GraphError naming a file of the folder that is called *.onnx, cannot be read, and is not a data file itself
 */
export async function otherReaders(
  folder: string,
  models: readonly Model[],
  locations: ReadonlySet<string>,
): Promise<Map<string, string>> {
  const readers = new Map<string, string>()
  if (locations.size === 0) return readers
  const given = await pathsByInode(models)
  const wanted = new Map([...locations].map((location) => [placeOf(join(folder, location)), location]))
  const data = new Set(models.flatMap(dataFilesOf))
  for (const path of await candidates(folder, locations)) {
    const isOwn = GRAPH.test(path) && dirname(path) === resolve(folder)
    if (await isSpared(path, isOwn, given)) continue
    const model = isOwn && !data.has(placeOf(path)) ? openReader(path, locations) : openIfModel(path)
    for (const place of model ? dataFilesOf(model) : []) {
      const location = wanted.get(place)
      if (location !== undefined && !readers.has(location)) readers.set(location, path)
    }
  }
  return readers
}

/** Given graphs themselves; graphs of the folder that are other names of them; links, which show what those become; files that have gone. */
async function isSpared(path: string, isOwn: boolean, given: ReadonlyMap<string, string>): Promise<boolean> {
  const inode = await inodeOf(path, 'itself')
  if (inode === undefined) return true
  const original = given.get(inode)
  if (original !== undefined) return isOwn || original === path
  return given.has((await inodeOf(path, 'followed')) ?? '')
}

/**
 * Models among the files of a folder that are not called *.onnx, and of the folder above, as far as they read data files
 * of the folder.
 */
export async function foreignReaders(folder: string): Promise<Model[]> {
  const paths = [
    ...(await filesIn(folder)).filter((path) => !GRAPH.test(path)),
    ...(await filesAbove(folder)),
  ]
  const inside = (place: string) => place.startsWith(join(placeOf(folder), '/'))
  return paths.flatMap((path) => {
    const model = openIfModel(path)
    return model && dataFilesOf(model).some(inside) ? [model] : []
  })
}

/** The data files of a model as one file has one name: where the links of its folder lead. */
export function dataFilesOf(model: Model): string[] {
  return locationsOf(model).flatMap((location) => {
    try {
      return placeOf(resolveLocation(location, model.folder))
    } catch (error) {
      if (error instanceof GraphError) return []
      throw error
    }
  })
}

/** A path whose folder's links are followed, and its own are not. */
export function placeOf(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    return path
  }
}

async function candidates(folder: string, locations: ReadonlySet<string>): Promise<string[]> {
  const own = await filesIn(folder)
  const below = new Set([...locations].map((location) => dirname(join(folder, location))))
  below.delete(resolve(folder))
  const others = await Promise.all([...below].map((path) => filesIn(path).catch(() => [])))
  return [...own, ...others.flat(), ...(await filesAbove(folder))]
}

/** A folder above that cannot be listed is none of ours. */
async function filesAbove(folder: string): Promise<string[]> {
  const own = placeOf(resolve(folder))
  const above = dirname(own)
  return above === own ? [] : filesIn(above).catch(() => [])
}

/** What is not a model, or cannot be opened, reads nothing. */
function openIfModel(path: string): Model | undefined {
  try {
    return openModel(path)
  } catch {
    return undefined
  }
}

function openReader(path: string, locations: ReadonlySet<string>): Model {
  try {
    return openModel(path)
  } catch (error) {
    if (!(error instanceof GraphError)) throw error
    throw new GraphError(
      `${error.message} It was opened to see whether it reads ${[...locations].join(' or ')}.`,
      'Fix it, or move it out of the folder.',
    )
  }
}
