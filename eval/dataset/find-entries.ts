// SPDX-License-Identifier: Apache-2.0

import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, extname, join, posix, relative, sep } from 'node:path'
import { SpeechError } from '../runtime/speech-error.ts'
import type { ManifestOptions } from './columns.ts'
import type { Entry } from './entry.ts'
import { readJsonLines } from './json-lines.ts'
import { readKaldi } from './kaldi.ts'
import { readTable } from './table.ts'
import { hasTextsBeside, isTranscripts, readTextsBeside, readTranscripts } from './transcripts.ts'
import { walkTree } from './tree.ts'

/** Lists the entries of a dataset, from the first on at each call. */
export type Entries = () => AsyncGenerator<Entry>

/** Taken before any other file, in this order; metadata.* is AudioFolder's. */
const MANIFESTS = ['manifest', 'metadata'].flatMap((name) =>
  ['jsonl', 'json', 'csv', 'tsv'].map((extension) => `${name}.${extension}`),
)
const METADATA = MANIFESTS.filter((name) => name.startsWith('metadata.'))
const READERS: Readonly<Record<string, typeof readTable>> = {
  '.jsonl': readJsonLines,
  '.json': readJsonLines,
  '.csv': readTable,
  '.tsv': readTable,
}
/** Parts of a dataset that are not measured together. */
const SPLITS = new Set(['train', 'training', 'test', 'dev', 'eval', 'valid', 'validation'])

/** Whether a file lists utterances, by its extension: .jsonl, .json, .csv or .tsv. */
export function isManifest(path: string): boolean {
  return extname(path).toLowerCase() in READERS
}

/** Whether one of a folder's names is a manifest that is found without being named. */
export function hasManifest(names: readonly string[]): boolean {
  return MANIFESTS.some((name) => names.includes(name))
}

/**
 * Find out how the recordings of a folder are listed, or take a manifest by its path.
 * @throws SpeechError when the path is neither, or nothing in it lists recordings
 */
export async function findEntries(path: string, options: ManifestOptions): Promise<Entries> {
  const info = await stat(path).catch(() => undefined)
  if (info?.isFile() && isManifest(path)) return readerOf(path, options)
  if (!info?.isDirectory()) {
    throw new SpeechError(
      `${path} ${info ? 'is not a folder' : 'does not exist'}.`,
      'Give a folder of recordings, a manifest (.jsonl, .json, .csv, .tsv), FILE.parquet, or a dataset by name.',
    )
  }
  const names = (await readdir(path)).sort()
  const manifest = MANIFESTS.find((name) => names.includes(name))
  if (manifest !== undefined) return readerOf(join(path, manifest), options)
  if (names.includes('wav.scp') && names.includes('text')) return () => readKaldi(path, names)
  if (hasTextsBeside(names)) return () => readTextsBeside(path, names)
  const tables = names.filter(isManifest)
  if (tables.length === 1) return readerOf(join(path, tables[0] ?? ''), options)
  if (tables.length > 1)
    throw new SpeechError(`${path} holds ${tables.join(', ')}.`, 'Give one of them by its path.')
  return (await findInside(path, options)) ?? refuse(path)
}

/** Of LibriSpeech's transcripts, or of AudioFolder's metadata in folders below. */
async function findInside(path: string, options: ManifestOptions): Promise<Entries | undefined> {
  const metadata: string[] = []
  let parquet: string | undefined
  for await (const { folder, names } of walkTree(path)) {
    if (names.some(isTranscripts)) return () => readTranscripts(path)
    const file = names.find((name) => /\.parquet$/i.test(name))
    if (file !== undefined) parquet ??= join(folder, file)
    metadata.push(
      ...METADATA.filter((name) => names.includes(name))
        .slice(0, 1)
        .map((name) => join(folder, name)),
    )
  }
  if (metadata.length === 0 && parquet !== undefined)
    throw new SpeechError(
      `${path} lists no recording with a transcript, but holds parquet files.`,
      `Give one of them by its path: ${parquet}`,
    )
  if (metadata.length === 0) return undefined
  requireOneSplit(path, metadata)
  const readers = metadata.map((file) => readerOf(file, options))
  return async function* () {
    for (const [i, read] of readers.entries()) {
      // ids are the same on every system
      const below = relative(path, dirname(metadata[i] ?? path))
        .split(sep)
        .join('/')
      for await (const entry of read())
        yield entry.id === entry.file ? { ...entry, id: posix.join(below, entry.id) } : entry
    }
  }
}

function requireOneSplit(path: string, metadata: readonly string[]): void {
  const parts = metadata.flatMap((file) => relative(path, file).split(sep))
  const splits = [...new Set(parts.filter((part) => SPLITS.has(part.toLowerCase())))]
  if (splits.length > 1)
    throw new SpeechError(`${path} holds the splits ${splits.join(', ')}.`, 'Give the folder of one of them.')
}

function readerOf(path: string, options: ManifestOptions): Entries {
  const read = READERS[extname(path).toLowerCase()] ?? readJsonLines
  return () => read(path, options)
}

function refuse(path: string): never {
  throw new SpeechError(
    `${path} lists no recording with a transcript.`,
    `It needs manifest.jsonl ({"file": "a.flac", "text": "..."} a line), manifest.csv or .tsv (file,text), metadata.csv or .jsonl (file_name,transcription), Kaldi's wav.scp and text, LibriSpeech's *.trans.txt, or a.txt beside a.flac in ${basename(path) || path}.`,
  )
}
