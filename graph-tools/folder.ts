// SPDX-License-Identifier: Apache-2.0

import { lstat, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { GraphError } from './graph-error.ts'
import { PARTIAL } from './journal.ts'
import type { Model } from './model.ts'

/**
 * The ONNX files directly in a folder, in the order of their names.
 * @throws GraphError when there is no such folder
 */
export async function graphFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') throw new GraphError(`There is no folder ${folder}.`)
    if (error.code === 'ENOTDIR') throw new GraphError(`${folder} is a file, wanted a folder.`)
    throw error
  })
  const names = entries
    .filter(({ name }) => name.endsWith('.onnx') && !name.startsWith('._')) // macOS keeps attributes in ._NAME
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
  return names.sort().map((name) => join(folder, name))
}

/** Everything directly in a folder that is not a folder, in the order of names, except what is half written. */
export async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  const names = entries.filter((entry) => !entry.isDirectory() && !entry.name.endsWith(PARTIAL))
  return names
    .map(({ name }) => name)
    .sort()
    .map((name) => join(folder, name))
}

/** The data files that a model reads, relative to its folder, each once. */
export function locationsOf(model: Model): string[] {
  return [...new Set(model.tensors.flatMap(({ location }) => location ?? []))].sort()
}

/** Whether any of the graphs reads this data file of a folder. */
export function isRead(models: readonly Model[], folder: string, location: string): boolean {
  return models.some((model) => model.folder === folder && locationsOf(model).includes(location))
}

/**
 * Graph files of a folder that are other names (hard links) of given graphs and were not given themselves.
 * @returns path to the path of the given graph
 */
export async function findAliases(folder: string, models: readonly Model[]): Promise<Map<string, string>> {
  const given = await pathsByInode(models)
  const aliases = new Map<string, string>()
  for (const path of await graphFiles(folder)) {
    const target = given.get((await inodeOf(path, 'itself')) ?? '')
    if (target !== undefined && !models.some((model) => model.path === path)) aliases.set(path, target)
  }
  return aliases
}

/**
 * What two names of one file have in common; a link that leads nowhere is itself.
 * @returns undefined for a file that has gone since its folder was listed
 */
export async function inodeOf(path: string, links: 'itself' | 'followed'): Promise<string | undefined> {
  const followed =
    links === 'followed' ? await stat(path, { bigint: true }).catch(() => undefined) : undefined
  const info =
    followed ??
    (await lstat(path, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    }))
  return info && `${info.dev} ${info.ino}`
}

/** The paths of models by {@link inodeOf}. */
export async function pathsByInode(models: readonly Model[]): Promise<Map<string, string>> {
  const paths = new Map<string, string>()
  for (const { path } of models) {
    const inode = path === undefined ? undefined : await inodeOf(path, 'itself')
    if (path !== undefined && inode !== undefined) paths.set(inode, path)
  }
  return paths
}
