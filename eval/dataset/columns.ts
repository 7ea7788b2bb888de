// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'

/* Which column of a table or key of a manifest holds what. */

/** Which columns hold the reference and the recording, when they are not under a name of {@link COLUMNS}. */
export interface ColumnOptions {
  readonly textColumn?: string
  readonly audioColumn?: string
}

/** How a manifest is read. */
export interface ManifestOptions extends ColumnOptions {
  /** one without a column of texts lists recordings without references */
  readonly keepEmpty?: boolean
}

/** Whether a manifest may have no column of texts: not when the user has named one. */
export function mayLackText({ keepEmpty = false, textColumn }: ManifestOptions): boolean {
  return keepEmpty && textColumn === undefined
}

/**
 * What datasets call their columns, best first: the datasets library, its AudioFolder, NeMo, Common Voice, LibriSpeech.
 * Manifests, tables and parquet files are read by these alone.
 */
export const COLUMNS = {
  audio: [
    ...['audio', 'file', 'path', 'file_name', 'filename', 'filepath'],
    ...['audio_filepath', 'audio_path', 'audio_file'],
    ...['wav', 'wav_filename', 'flac', 'mp3'],
  ],
  text: [
    ...['text', 'sentence', 'transcription', 'transcript', 'reference', 'normalized_text', 'raw_text'],
    'raw_transcription',
  ],
  id: ['id', 'audio_id', 'utterance_id', 'segment_id', 'utt_id'],
  speaker: ['speaker_id', 'speaker', 'client_id'],
  /** seconds from the beginning of the file to that of the utterance, as in NeMo's manifests */
  offset: ['offset'],
  /** seconds of the utterance */
  duration: ['duration'],
  /** with their times */
  words: ['words'],
  /** that may be said */
  hotwords: ['hotwords'],
} as const

/** What a column of a dataset holds. */
export type Role = keyof typeof COLUMNS

/** The column for each role that has one. */
export type FoundColumns = { readonly [R in Role]: string | undefined }

/**
 * Which of the columns is for what. Case does not matter.
 * @param names of the columns that there are
 */
export function findColumns(names: readonly string[], options: ColumnOptions = {}): FoundColumns {
  const known = new Map([...names.map((name) => [name.trim().toLowerCase(), name] as const)].reverse())
  const find = (role: Role, wanted?: string) => {
    if (wanted !== undefined) return names.find((name) => name === wanted || wanted.startsWith(`${name}.`))
    for (const candidate of COLUMNS[role]) {
      const name = known.get(candidate)
      if (name !== undefined) return name
    }
    return undefined
  }
  return {
    audio: find('audio', options.audioColumn),
    text: find('text', options.textColumn),
    id: find('id'),
    speaker: find('speaker'),
    offset: find('offset'),
    duration: find('duration'),
    words: find('words'),
    hotwords: find('hotwords'),
  }
}

/** What to throw when a column is not there: which there are, and which names are looked for. */
export function missingColumn(
  where: string,
  role: 'audio' | 'text',
  names: readonly string[],
  options: ColumnOptions = {},
): SpeechError {
  const wanted = role === 'audio' ? options.audioColumn : options.textColumn
  const found = names.map((name) => name.trim() || '(no name)').join(', ')
  return new SpeechError(
    `${where} has no column ${wanted ?? COLUMNS[role].join(' or ')} for ${role}; it has ${found || 'none'}.`,
    `Name one with --${role}-column${role === 'text' && wanted === undefined ? ', or measure recordings without a reference with --keep-empty' : ''}.`,
  )
}
