// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { basename, extname, resolve } from 'node:path'
import { mapFiles } from '../concurrency.ts'
import { defined } from '../runtime/defined.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import { chooseRows } from './choose.ts'
import { COLUMNS, type ManifestOptions } from './columns.ts'
import { type Entries, findEntries, isManifest } from './find-entries.ts'
import { makeIdentify, type Recording } from './recording.ts'
import { type Cutter, makeCutter } from './segment.ts'
import { pickEntries, type Survey, surveyEntries } from './survey.ts'
import type { Dataset, Selection, Utterance } from './utterance.ts'

/** How a folder or a manifest is read. */
export interface FolderOptions extends ManifestOptions {
  /** where parts of recordings are kept */
  readonly cache: string
}

/**
 * Recordings on disk: a folder of a form that {@link findEntries} reads, or a manifest by its path. Only
 * chosen recordings are looked at.
 * @throws SpeechError when nothing lists recordings, or what does is malformed
 */
export async function folderDataset(
  path: string,
  selection: Selection,
  options: FolderOptions,
): Promise<Dataset> {
  return listedDataset(path, await findEntries(path, options), selection, options)
}

/** A dataset of recordings on disk, however they are listed. @throws SpeechError as {@link folderDataset} */
export async function listedDataset(
  path: string,
  entries: Entries,
  selection: Selection,
  options: FolderOptions,
): Promise<Dataset> {
  const { keepEmpty = false } = options
  const survey = await surveyEntries(path, entries, keepEmpty)
  requireSome(path, survey)
  const rows = chooseRows(new Array<number>(survey.count).fill(1), selection)
  const picked = await pickEntries(entries, rows, keepEmpty)
  const identify = makeIdentify(options.cache)
  const chosen = await mapFiles(picked, ({ entry, row }) => identify(entry, row))
  if (!selection.shard) refuseAllMissing(path, chosen)
  const recordings = new Map(chosen.map((recording) => [recording.utterance.key, recording]))
  return {
    name: nameOf(path),
    source: { kind: 'folder', ...defined({ hotwords: survey.hotwords }) },
    ...{ count: chosen.length, of: survey.count, leftOut: survey.leftOut, download: 0 },
    keys: chosen.map(({ utterance }) => utterance.key),
    audioPath(key) {
      const { part, utterance } = recordings.get(key) ?? {}
      return part && existsSync(part.target) ? part.target : utterance?.path
    },
    async *utterances(isWanted, signal) {
      const cutter = makeCutter()
      try {
        for (const recording of chosen) {
          signal.throwIfAborted()
          if (isWanted(recording.utterance.key)) yield await withPart(recording, cutter, signal)
        }
      } finally {
        await cutter.close()
      }
    },
  }
}

/**
 * All recordings of a folder with their references.
 * @throws SpeechError as {@link folderDataset}, and when one is a part of a longer recording
 */
export async function readSpeechFolder(folder: string): Promise<Utterance[]> {
  const entries = await findEntries(folder, {})
  const survey = await surveyEntries(folder, entries, false)
  requireSome(folder, survey)
  const rows = Array.from({ length: survey.count }, (_, row) => row)
  const identify = makeIdentify('')
  const recordings = await mapFiles(await pickEntries(entries, rows, false), ({ entry, row }) =>
    identify(entry, row),
  )
  return recordings.map(({ utterance, part }) => {
    if (!part) return utterance
    throw new SpeechError(`${folder} lists parts of recordings, wanted whole ones.`)
  })
}

/**
 * Check that a folder lists recordings with references. The lists are read, not the recordings.
 * @throws SpeechError when it lists none, or a list is malformed
 */
export async function requireSpeech(folder: string): Promise<void> {
  requireSome(folder, await surveyEntries(folder, await findEntries(folder, {}), false))
}

async function withPart(
  { utterance, part }: Recording,
  cutter: Cutter,
  signal: AbortSignal,
): Promise<Utterance> {
  if (!part || utterance.path === undefined) return utterance
  try {
    return { ...utterance, path: await cutter.cut(utterance.path, part.span, part.target, signal) }
  } catch (error) {
    if (!(error instanceof SpeechError)) throw error
    return { ...utterance, path: undefined, problem: error.message }
  }
}

function nameOf(path: string): string {
  const name = basename(resolve(path)) || path
  return isManifest(name) || /\.parquet$/i.test(name) ? name.slice(0, -extname(name).length) : name
}

function requireSome(path: string, { count, leftOut }: Survey): void {
  if (count > 0) return
  if (leftOut === 0) throw new SpeechError(`${path} lists no recording.`)
  throw new SpeechError(
    `${path} lists no recording with a transcript, and ${leftOut} without.`,
    `Transcripts are searched under ${COLUMNS.text.join(', ')}; --text-column names another, --keep-empty measures recordings without.`,
  )
}

function refuseAllMissing(path: string, recordings: readonly Recording[]): void {
  const [first] = recordings
  if (!first || recordings.some(({ utterance }) => utterance.path !== undefined)) return
  throw new SpeechError(
    `None of the ${recordings.length} recordings that ${path} lists can be read: ${first.utterance.problem}`,
    'Paths in a manifest are relative to its folder, or absolute.',
  )
}
