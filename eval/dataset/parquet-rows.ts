// SPDX-License-Identifier: Apache-2.0

import { isBlank } from '../normalize/comparable.ts'
import { valueAt } from './entry.ts'
import { encodeFloatWav } from './float-wav.ts'
import type { Columns } from './parquet-columns.ts'
import { chunksOfGroup, decodeText, NOT_UTF8, type ParquetFile, readRows } from './parquet-file.ts'

/** One row. */
export interface SpeechRow {
  readonly id: string | undefined
  /** the reference; blank when there is none */
  readonly text: string
  readonly speaker: string | undefined
  /** an audio file's bytes, whatever its format; undefined when there is a problem */
  readonly audio: Uint8Array | undefined
  readonly problem?: string
}

/** Bytes to fetch for the columns of a row group. */
export function bytesOfGroup(file: ParquetFile, group: number, columns: Columns): number {
  return chunksOfGroup(file, group, namesOf(columns)).reduce(
    (sum, { total_compressed_size: size }) => sum + Number(size),
    0,
  )
}

/** All rows of a row group. @throws SpeechError when the row group is damaged */
export async function readGroup(file: ParquetFile, group: number, columns: Columns): Promise<SpeechRow[]> {
  const rows = await readRows(file, group, namesOf(columns))
  return rows.map((row) => {
    const text = textIn(row, columns)
    const audio = audioOf(row[columns.audio])
    const problem = text === undefined ? 'The reference in this row is not valid UTF-8.' : audio.problem
    return {
      id: columns.id === undefined ? undefined : labelOf(row[columns.id]),
      text: text ?? '',
      speaker: columns.speaker === undefined ? undefined : labelOf(row[columns.speaker]),
      audio: audio.bytes,
      ...(problem !== undefined && { problem }),
    }
  })
}

/**
 * Which rows of a group have no reference. The footer often says that there are none: nothing is read then; else the
 * texts alone.
 */
export async function blankRows(
  file: ParquetFile,
  group: number,
  columns: Columns,
): Promise<ReadonlySet<number>> {
  if (hasOnlyPlainText(file, group, columns)) return new Set()
  const rows = await readRows(file, group, [columns.text])
  // What is not valid UTF-8 is a reference, one with a problem.
  return new Set(rows.flatMap((row, i) => (isBlank(textIn(row, columns) ?? 'invalid') ? [i] : [])))
}

/** Names of the columns that are read, each once. */
export function namesOf({ audio, text, id, speaker }: Columns): string[] {
  return [...new Set([audio, text, id, speaker].filter((name) => name !== undefined))]
}

/** No null, and all texts in order between the first character after the space and the last of ASCII. */
function hasOnlyPlainText(file: ParquetFile, group: number, { text, textFields }: Columns): boolean {
  const path = [text, ...textFields].join('.')
  const chunk = chunksOfGroup(file, group, [text]).find((data) => data.path_in_schema.join('.') === path)
  const { null_count: nulls, min_value: min, max_value: max } = chunk?.statistics ?? {}
  if (nulls !== 0n || typeof min !== 'string' || typeof max !== 'string') return false
  return min >= '!' && max < '\x7f'
}

/** @returns undefined when it is not valid UTF-8 */
function textIn(row: Readonly<Record<string, unknown>>, { text, textFields }: Columns): string | undefined {
  const value = valueAt(row, text, [text, ...textFields].join('.'))
  const decoded = value instanceof Uint8Array ? decodeText(value) : value
  if (decoded === NOT_UTF8) return undefined
  return decoded === null || decoded === undefined ? '' : String(decoded)
}

/** An id or a speaker. */
function labelOf(value: unknown): string | undefined {
  const decoded = value instanceof Uint8Array ? decodeText(value) : value
  return ['string', 'number', 'bigint'].includes(typeof decoded) ? String(decoded) : undefined
}

type RowAudio =
  | { readonly bytes: Uint8Array; readonly problem?: undefined }
  | { readonly bytes?: undefined; readonly problem: string }

/** `audio` of the datasets library is a struct of bytes and path, or of samples and rate; others store the bytes alone. */
function audioOf(value: unknown): RowAudio {
  const fields = value instanceof Uint8Array ? { bytes: value } : value
  const { bytes, path, array, sampling_rate: rate } = (fields ?? {}) as Record<string, unknown>
  if (bytes instanceof Uint8Array && bytes.length > 0) return { bytes }
  if (array !== undefined && array !== null)
    return encodeArray(array, typeof rate === 'bigint' ? Number(rate) : rate)
  const name = typeof value === 'string' ? value : path
  return typeof name === 'string' && name !== ''
    ? { problem: `The dataset has only a name (${name}) and no audio in this row.` }
    : { problem: 'The dataset has no audio in this row.' }
}

function encodeArray(array: unknown, rate: unknown): RowAudio {
  const samples = Array.from(array as Iterable<unknown>)
  if (samples.some(Array.isArray))
    return { problem: 'The samples in this row are a list of lists, wanted one channel.' }
  if (typeof rate !== 'number' || !Number.isInteger(rate) || rate <= 0)
    return {
      problem: `The samples in this row have a rate of ${rate} a second, wanted a whole number above 0.`,
    }
  const values = Float32Array.from(samples, (sample) =>
    typeof sample === 'number' || typeof sample === 'bigint' ? Number(sample) : Number.NaN,
  )
  return { bytes: encodeFloatWav(values, rate) }
}
