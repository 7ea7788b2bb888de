// SPDX-License-Identifier: Apache-2.0

import { readdir } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { SpeechError } from '../runtime/speech-error.ts'
import type { TimedWord } from '../runtime/timed-word.ts'
import { readCtm } from './ctm.ts'
import type { Entry } from './entry.ts'
import { readTextGrid } from './text-grid.ts'
import { wordsWithin } from './timed-words.ts'
import { isAudioName, stemOf } from './tree.ts'

/* Times of words in files of their own: TextGrid and CTM. */

/**
 * Finds the words of an utterance, with their times, in files beside its recording or in the dataset's folder.
 * @param path of the recording
 */
export type FindWords = (entry: Entry, path: string) => Promise<readonly TimedWord[] | undefined>

/** Words with the name that they were found by: of the recording, or of the utterance. */
interface Found {
  readonly name: string
  readonly words: readonly TimedWord[]
}

/** Paths of a folder's files that have times. */
interface TimeFiles {
  /** TextGrids, by their names */
  readonly grids: ReadonlyMap<string, string>
  readonly tables: ReadonlyMap<string, string>
  /** CTM files that are not named like a recording beside them */
  readonly shared: readonly string[]
}

type ReadCtm = (path: string) => ReturnType<typeof readCtm>

/**
 * A finder that reads each folder and each CTM file once. The first of these is taken: a TextGrid named like the recording
 * or the utterance, a CTM file named so, lines of another CTM file. What is named like the recording counts from the
 * recording's start, and what is named like the utterance from the utterance's.
 * @throws SpeechError when a file is malformed, or two CTM files have words of one utterance
 */
export function makeFindWords(): FindWords {
  const [filesIn, ctmOf] = [once(timeFiles), once(readCtm)]
  return async ({ id, recording, folder, span }, path) => {
    const file = basename(path).normalize('NFC')
    const ofRecording = [stemOf(file), file, ...(recording === undefined ? [] : [recording])]
    const names = [...ofRecording, id.normalize('NFC'), ...(isAudioName(id) ? [stemOf(id)] : [])]
    const files = await Promise.all([...new Set([dirname(path), folder])].map(filesIn))
    const found = (await inTextGrid(files, names)) ?? (await inCtm(files, names, ctmOf))
    return found && (span && ofRecording.includes(found.name) ? wordsWithin(found.words, span) : found.words)
  }
}

async function inTextGrid(files: readonly TimeFiles[], names: readonly string[]): Promise<Found | undefined> {
  const grid = firstOf(names, ...files.map(({ grids }) => grids))
  return grid && { name: grid.name, words: await readTextGrid(grid.value) }
}

async function inCtm(
  files: readonly TimeFiles[],
  names: readonly string[],
  ctmOf: ReadCtm,
): Promise<Found | undefined> {
  const own = firstOf(names, ...files.map(({ tables }) => tables))
  if (!own) return inSharedCtm(files, names, ctmOf)
  const table = await ctmOf(own.value)
  // In a file of one recording the name in its lines does not matter, unless there are several.
  const only = table.size === 1 ? [...table.values()][0] : undefined
  return wordsOf(names, table) ?? (only && { name: own.name, words: only })
}

async function inSharedCtm(
  files: readonly TimeFiles[],
  names: readonly string[],
  ctmOf: ReadCtm,
): Promise<Found | undefined> {
  const paths = files.flatMap(({ shared }) => shared)
  const tables = await Promise.all(
    paths.map(async (path) => ({ path, found: wordsOf(names, await ctmOf(path)) })),
  )
  const [first, second] = tables.filter(({ found }) => found !== undefined)
  if (first && second)
    throw new SpeechError(
      `${first.path} and ${second.path} both have words of ${first.found?.name}.`,
      'Keep one of them in the folder.',
    )
  return first?.found
}

function wordsOf(
  names: readonly string[],
  table: ReadonlyMap<string, readonly TimedWord[]>,
): Found | undefined {
  const found = firstOf(names, table)
  return found && { name: found.name, words: found.value }
}

/** What the maps have by the first of the names that is in one of them. */
function firstOf<T extends object | string>(
  names: readonly string[],
  ...maps: readonly ReadonlyMap<string, T>[]
): { readonly name: string; readonly value: T } | undefined {
  for (const name of names)
    for (const map of maps) {
      const value = map.get(name)
      if (value !== undefined) return { name, value }
    }
  return undefined
}

async function timeFiles(folder: string): Promise<TimeFiles> {
  const names = (await readdir(folder).catch(() => [])).sort()
  const having = (extension: string) => names.filter((name) => extname(name).toLowerCase() === extension)
  const byStem = (some: readonly string[]) =>
    new Map(some.map((name) => [stemOf(name), join(folder, name)] as const))
  const recordings = new Set(names.filter(isAudioName).map(stemOf))
  const tables = having('.ctm')
  const shared = [
    ...tables.filter((name) => !recordings.has(stemOf(name))),
    ...names.filter((name) => name === 'ctm'),
  ]
  return {
    grids: byStem(having('.textgrid')),
    tables: byStem(tables),
    shared: shared.map((name) => join(folder, name)),
  }
}

/** A reader that reads each path once. */
function once<T>(read: (path: string) => Promise<T>): (path: string) => Promise<T> {
  const known = new Map<string, Promise<T>>()
  return (path) => {
    const value = known.get(path) ?? read(path)
    known.set(path, value)
    return value
  }
}
