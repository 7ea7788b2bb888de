// SPDX-License-Identifier: Apache-2.0

import { lstat, open, rm } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import * as v from 'valibot'
import { resolveLocation } from './external-data.ts'
import { openPlain } from './files.ts'
import { GraphError } from './graph-error.ts'
import { renameOver } from './rename-over.ts'

/** The journal of a change that has been decided and may be half carried out. */
export const JOURNAL = '.graph-tools-journal.json'
/** What a file's name ends with while it is being written. */
export const PARTIAL = '.partial'
/** Where a file is while it is being patched. */
export const PATCHING = '.patching.partial'

const offset = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const list = v.pipe(v.array(v.string()), v.readonly())
/** Names are relative to the folder. */
const JOURNAL_SHAPE = v.object({
  /** written as NAME.partial, to become NAME */
  names: list,
  removes: list,
  /** name to the byte of that file where NAME.partial goes */
  patches: v.pipe(
    v.custom<Record<string, number>>((value) => !Array.isArray(value)), // to the library an array is an object too
    v.record(v.string(), offset),
    v.readonly(),
  ),
  /** which of the names are graphs; those called *.onnx where a journal does not say */
  graphs: v.exactOptional(list),
})
/** What a change writes, removes and patches, by file names. */
export type Journal = Readonly<v.InferOutput<typeof JOURNAL_SHAPE>>

/** Whether a change of this folder was decided and has not been finished. */
export async function isPending(folder: string): Promise<boolean> {
  return (await kindOf(join(folder, JOURNAL))) !== undefined
}

/**
 * The journal of a folder. It comes with the folder, and folders come from anywhere: it may only name files inside, each
 * once, and none that is a link.
 * @returns undefined when there is none
 * @throws GraphError when it is not one that {@link writeJournal} can have written
 */
export async function readJournal(folder: string): Promise<Journal | undefined> {
  const path = join(folder, JOURNAL)
  if (!(await isPending(folder))) return undefined
  const file = await openPlain(path, 'read')
  const text = await file.readFile('utf8').finally(() => file.close())
  const journal = parse(text)
  const problem = typeof journal === 'string' ? journal : problemOf(journal, folder)
  if (typeof journal !== 'string' && problem === undefined) {
    await refuseIrregular(folder, journal)
    return journal
  }
  throw new GraphError(
    `${path} is not the journal of an interrupted change: ${problem}.`,
    'It did not come from this toolkit, or is damaged: delete it, and get the folder again.',
  )
}

/** Make a change decided: the journal appears by one rename. */
export async function writeJournal(folder: string, journal: Journal): Promise<void> {
  const path = join(folder, JOURNAL)
  await rm(path + PARTIAL, { force: true })
  const file = await open(path + PARTIAL, 'wx')
  try {
    await file.writeFile(JSON.stringify(journal))
    await file.sync()
  } finally {
    await file.close()
  }
  await renameOver(path + PARTIAL, path)
}

/**
 * The gate of every change.
 * @throws GraphError when a path is outside the folder, is named twice, or is a folder, a link or no file
 */
export async function refuseTargets(folder: string, journal: Journal): Promise<void> {
  const problem = problemOf(journal, folder)
  if (problem !== undefined) throw new GraphError(`A change of ${folder} cannot be made: ${problem}.`)
  await refuseIrregular(folder, journal)
}

/** A path's name in its folder, as journals have it. */
export function nameIn(folder: string, path: string): string {
  return relative(folder, path).split(sep).join('/')
}

function parse(text: string): Journal | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is not valid JSON'
  }
  const result = v.safeParse(JOURNAL_SHAPE, value, { abortEarly: true })
  if (result.success) return result.output
  const key = result.issues[0].path?.[0]?.key
  if (key === undefined) return 'it is not an object'
  if (key === 'patches') return 'it has a wrong offset'
  return key === 'graphs' ? 'its graphs are not a list' : 'it has no lists of names'
}

function problemOf({ names, removes }: Journal, folder: string): string | undefined {
  const all = [...names, ...removes]
  const twice = all.find((name, i) => all.indexOf(name) !== i)
  if (twice !== undefined) return `it names ${twice} twice`
  const outside = all.find((name) => !isInside(name, folder))
  return outside === undefined ? undefined : `${JSON.stringify(outside)} is outside the folder`
}

/** Links are followed up to the file itself, which may be none: see {@link refuseIrregular}. */
function isInside(name: string, folder: string): boolean {
  const isWrong = /^\/|^[A-Za-z]:|\0/.test(name) || (sep === '\\' && name.includes(sep))
  if (name === '' || name === '.' || isWrong || name.split(/[/\\]/).includes('..')) return false
  try {
    resolveLocation(dirname(name), folder)
    return true
  } catch (error) {
    if (error instanceof GraphError) return false
    throw error
  }
}

/** What is renamed, removed or written must be a file itself: through a link another one would change. */
async function refuseIrregular(folder: string, { names, removes }: Journal): Promise<void> {
  for (const name of [...names, ...removes]) {
    for (const path of [name, name + PARTIAL, name + PATCHING].map((own) => join(folder, own))) {
      const kind = await kindOf(path)
      if (kind === undefined || kind === 'a file') continue
      throw new GraphError(
        `${path} is ${kind}, wanted a file.`,
        kind === 'a link' ? 'Nothing is written through links: put a copy in its place.' : 'Move it away.',
      )
    }
  }
}

async function kindOf(path: string): Promise<string | undefined> {
  const info = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (!info) return undefined
  if (info.isFile()) return 'a file'
  if (info.isSymbolicLink()) return 'a link'
  return info.isDirectory() ? 'a folder' : 'not a regular file'
}
