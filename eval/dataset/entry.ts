// SPDX-License-Identifier: Apache-2.0

import { defined } from '../runtime/defined.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import type { TimedWord } from '../runtime/timed-word.ts'
import {
  COLUMNS,
  type ColumnOptions,
  type FoundColumns,
  findColumns,
  missingColumn,
  type Role,
} from './columns.ts'
import { listedWords } from './timed-words.ts'

/* One line of a manifest or table, checked. */

/** A part of a recording, in seconds. */
export interface Span {
  readonly offset: number
  /** undefined: to the end */
  readonly duration: number | undefined
}

/** A recording as a manifest lists it. */
export interface Entry {
  readonly id: string
  /** as it is listed; '' when there is a problem */
  readonly file: string
  /** what the file's name is relative to */
  readonly folder: string
  /** what a Kaldi directory calls the recording */
  readonly recording?: string
  /** the reference; blank when there is none */
  readonly text: string
  readonly speaker?: string
  /** of the reference, with times from the start of the utterance, when the manifest has them */
  readonly words?: readonly TimedWord[]
  /** words and phrases that may be said, when the manifest has them */
  readonly hotwords?: readonly string[]
  /** the whole recording when there is none */
  readonly span?: Span
  /** why there is no recording */
  readonly problem?: string
}

/** Where an entry was found, and how it is read. */
export interface EntrySource {
  /** file and line */
  readonly where: string
  readonly folder: string
  readonly options: ColumnOptions
  /** by default found among the keys */
  readonly columns?: FoundColumns
}

/**
 * The entry of named values: an object of a manifest, or a row of a table.
 * @throws SpeechError when it names no recording, or a value is not what its column holds
 */
export function entryOf(values: Readonly<Record<string, unknown>>, source: EntrySource): Entry {
  const { where, folder, options } = source
  const columns = source.columns ?? findColumns(Object.keys(values), options)
  const read = (role: Role) => {
    const column = columns[role]
    return column === undefined ? undefined : values[column] // '' is a name too: that of pandas' index
  }
  const file = fileOf(values, columns, source)
  const span = spanOf(read('offset'), read('duration'), where)
  const [id, speaker] = [scalar(read('id')), scalar(read('speaker'))]
  const text = valueAt(values, columns.text, options.textColumn)
  const words = listedWords(read('words'), where)
  const hotwords = listedTexts(read('hotwords'), where)
  return {
    id: id ?? (span?.isSegment ? `${file} ${span.offset}+${span.duration ?? 'rest'}` : file),
    ...{ file, folder, text: textOf(text, where) },
    ...(speaker !== undefined && { speaker }),
    ...defined({ words, hotwords }),
    ...(span && { span: { offset: span.offset, duration: span.duration } }),
  }
}

/** The first column that names a file: some manifests have the audio itself, or a description of it, under `audio`. */
function fileOf(
  values: Readonly<Record<string, unknown>>,
  columns: FoundColumns,
  { where, options }: EntrySource,
): string {
  const candidates = options.audioColumn === undefined ? [columns.audio, ...COLUMNS.audio] : [columns.audio]
  for (const name of candidates) {
    const value = valueAt(values, name, options.audioColumn)
    const path = typeof value === 'object' && value !== null && 'path' in value ? value.path : value
    if (typeof path === 'string' && path.trim() !== '') return path.trim()
  }
  const found = values[columns.audio ?? '']
  if (columns.audio === undefined) throw missingColumn(where, 'audio', Object.keys(values), options)
  throw new SpeechError(
    `${where}: "${columns.audio}" is ${typeName(found)}, wanted the name of a recording.`,
    'Name another column with --audio-column.',
  )
}

/** The value of a column, or of a field in it: `text.en`. */
export function valueAt(
  values: Readonly<Record<string, unknown>>,
  column: string | undefined,
  wanted: string | undefined,
): unknown {
  if (column === undefined) return undefined
  const fields = wanted?.startsWith(`${column}.`) ? wanted.slice(column.length + 1).split('.') : []
  return fields.reduce<unknown>(
    (value, field) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : undefined,
    values[column],
  )
}

/** @throws SpeechError when the value is neither text nor a number that is exact */
function textOf(value: unknown, where: string): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value))
    throw new SpeechError(
      `${where}: the text is a number of more than 15 digits, of which JSON keeps the first alone.`,
      'Write it in double quotes.',
    )
  const text = scalar(value)
  if (text !== undefined) return text
  throw new SpeechError(
    `${where}: the text is ${typeName(value)}, wanted a string.`,
    'Name a column that holds text with --text-column; COLUMN.FIELD is a field of an object.',
  )
}

/**
 * The hotwords of a manifest.
 * @returns undefined for a column that holds something else than a list
 * @throws SpeechError when a part of the list is not a text
 */
function listedTexts(value: unknown, where: string): readonly string[] | undefined {
  if (!Array.isArray(value)) return undefined
  return value.map((text: unknown, i) => {
    if (typeof text === 'string' && text.trim() !== '') return text.trim()
    throw new SpeechError(`${where}: hotword ${i + 1} is ${typeName(text)}, wanted a text.`)
  })
}

function scalar(value: unknown): string | undefined {
  return ['string', 'number', 'bigint'].includes(typeof value) ? String(value) : undefined
}

/** What a value is, for messages. */
export function typeName(value: unknown): string {
  if (value === null || value === undefined) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Uint8Array) return 'bytes'
  if (typeof value === 'symbol') return value.description ?? 'unknown'
  if (typeof value === 'object') return `an object of ${Object.keys(value).join(', ') || 'nothing'}`
  return value === '' ? 'empty' : `a ${typeof value} (${String(value)})`
}

/**
 * NeMo's `offset` and `duration`. A duration that is 0 or negative is not given.
 * @returns undefined for the whole file; `isSegment` when an offset is given
 */
function spanOf(
  offset: unknown,
  duration: unknown,
  where: string,
): (Span & { readonly isSegment: boolean }) | undefined {
  const start = secondsOf(offset, 'offset', where)
  const length = secondsOf(duration, 'duration', where)
  if (start === undefined && length === undefined) return undefined
  if (start !== undefined && start < 0)
    throw new SpeechError(`${where}: "offset" is ${start}, wanted at least 0 seconds.`)
  const known = length !== undefined && length > 0 ? length : undefined
  return { offset: start ?? 0, duration: known, isSegment: start !== undefined }
}

function secondsOf(value: unknown, name: string, where: string): number | undefined {
  if (value === null || value === undefined || value === '') return undefined
  const seconds = typeof value === 'string' || typeof value === 'bigint' ? Number(value) : value
  if (typeof seconds === 'number' && Number.isFinite(seconds)) return seconds
  throw new SpeechError(
    `${where}: "${name}" is ${typeName(value)}, wanted a number of seconds.`,
    'Remove the column if each text is that of a whole file.',
  )
}
