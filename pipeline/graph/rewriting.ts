// SPDX-License-Identifier: Apache-2.0

import { lstat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { type Rewrite, type Rewritten, rewriteInPlace } from '../../graph-tools/apply.ts'
import { recover } from '../../graph-tools/commit.ts'
import { graphFiles, inodeOf } from '../../graph-tools/folder.ts'
import { GraphError } from '../../graph-tools/graph-error.ts'
import { type Model, openModel } from '../../graph-tools/model.ts'
import type { OpenCheck } from '../../graph-tools/open-check.ts'
import { refuseSnapshot } from '../../graph-tools/snapshot.ts'

/* What the subcommands that rewrite graphs share. */

/** What a command did to some graphs. */
export interface Outcome extends Rewritten {
  readonly graphs: readonly string[]
  /** what --json has besides */
  readonly facts: Readonly<Record<string, unknown>>
  /** the same for a person, line by line */
  readonly text: readonly string[]
}

/** Callbacks; both may throw to stop a command before its next change. */
export interface Ui {
  report(outcome: Outcome): void
  onBytes(what: string, done: number, total: number): void
  /** opens graphs in onnxruntime, to say why it does not; without, graphs are written untried */
  readonly opens?: OpenCheck
}

/** What a command is about to do to some graphs, and what to say of it afterwards. */
export interface Planned {
  readonly rewrite: Rewrite
  readonly facts: Readonly<Record<string, unknown>>
  readonly text: (done: Rewritten) => readonly string[]
}

/** Rewrite graphs one after the other; each is opened when its turn comes. */
export async function eachAlone(
  files: readonly string[],
  ui: Ui,
  plan: (model: Model) => Promise<Planned>,
): Promise<void> {
  for (const path of await graphPaths(files)) {
    const model = await openSettled(path)
    await rewrite([model], await plan(model), ui)
  }
}

/** Rewrite graphs of one folder together. */
export async function together(
  files: readonly string[],
  ui: Ui,
  plan: (models: readonly Model[]) => Promise<Planned>,
): Promise<void> {
  const models: Model[] = []
  for (const path of await graphPaths(files)) models.push(await openSettled(path))
  await rewrite(models, await plan(models), ui)
}

/**
 * The folders of some files that are to be rewritten.
 * @throws GraphError when one is not there, or belongs to the cache of huggingface_hub
 */
export async function graphFoldersOf(paths: readonly string[]): Promise<string[]> {
  const folders = [...new Set(paths.map((path) => dirname(resolve(path))))]
  for (const folder of folders) {
    await graphFiles(folder)
    refuseSnapshot(folder)
  }
  return folders
}

/** A model's file name. */
export function nameOf(model: Model): string {
  return basename(model.path ?? 'model')
}

/** The files of a change, for a person. */
export function changesOf({ written, removed }: Rewritten): string[] {
  const names = written.length === 0 ? 'nothing to change' : `written: ${written.join(', ')}`
  return [names, ...(removed.length > 0 ? [`removed: ${removed.join(', ')}`] : [])]
}

/**
 * The files as absolute paths in the order of their names, so that neither a shell's order nor how they are spelled
 * decides anything; a file that was given under several names once.
 */
async function graphPaths(files: readonly string[]): Promise<string[]> {
  for (const folder of new Set(files.map((file) => dirname(resolve(file))))) await recover(folder)
  const isLink = new Map<string, boolean>()
  for (const file of files) isLink.set(resolve(file), await isSymbolic(resolve(file)))
  const byName = [...isLink.keys()].sort((a, b) => order(basename(a), basename(b)) || order(a, b))
  const paths = [...byName.filter((path) => !isLink.get(path)), ...byName.filter((path) => isLink.get(path))]
  const known = new Map<string, string>()
  for (const path of paths) {
    const inode = (await inodeOf(path, 'followed')) ?? path
    if (!known.has(inode)) known.set(inode, path)
  }
  return byName.filter((path) => [...known.values()].includes(path))
}

/** As every machine sorts. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

async function isSymbolic(path: string): Promise<boolean> {
  const info = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw new GraphError(`There is no file ${path}.`, 'verify lists the content of the folder.')
    throw error
  })
  return info.isSymbolicLink()
}

/** A change of the folder that was interrupted is finished first. */
async function openSettled(path: string): Promise<Model> {
  await recover(dirname(path))
  return openModel(path)
}

async function rewrite(models: readonly Model[], { rewrite, facts, text }: Planned, ui: Ui): Promise<void> {
  const onProgress = (done: number, total: number) => ui.onBytes('writing', done, total)
  onProgress(0, 0)
  const done = await rewriteInPlace(models, rewrite, { onProgress, ...(ui.opens && { opens: ui.opens }) })
  ui.report({ graphs: models.map(nameOf), ...done, facts, text: text(done) })
}
