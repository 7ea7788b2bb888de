import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { SpeechError } from '../speech-error.ts'

/** A parquet file, its footer read. */
export interface ParquetFile {
  /** stable within the dataset */
  readonly name: string
  readonly buffer: AsyncBuffer
  readonly metadata: FileMetaData
}

export interface ColumnOptions {
  readonly textColumn?: string
  readonly audioColumn?: string
}

/** The columns that are read, by what they hold. */
export interface Columns {
  readonly audio: string
  readonly text: string
  readonly id: string | undefined
  readonly speaker: string | undefined
}

/** One row. */
export interface SpeechRow {
  readonly id: string | undefined
  readonly text: string | undefined
  readonly speaker: string | undefined
  /** the audio file's bytes, whatever its format; undefined when the row has none */
  readonly audio: Uint8Array | undefined
}

/** Bytes at the end of a file that are read for its footer; a longer footer costs a second request. */
const FOOTER_GUESS = 1 << 16

const TEXT = ['text', 'sentence', 'transcription', 'transcript', 'normalized_text', 'raw_text']
const ID = ['id', 'audio_id', 'utterance_id', 'segment_id', 'utt_id']
const SPEAKER = ['speaker_id', 'speaker', 'client_id']

/**
 * @param footer the same bytes, where its footer is read
 * @throws SpeechError when the bytes are no parquet file
 */
export async function openParquet(name: string, buffer: AsyncBuffer, footer = buffer): Promise<ParquetFile> {
  try {
    const metadata = await parquetMetadataAsync(footer, { initialFetchSize: FOOTER_GUESS })
    return { name, buffer, metadata }
  } catch (error) {
    if (error instanceof SpeechError || !/parquet/i.test((error as Error).message)) throw error
    throw new SpeechError(`${name} is no parquet file: ${(error as Error).message}.`)
  }
}

/**
 * Which columns hold audio, reference, id and speaker.
 * @throws SpeechError listing the columns when audio or text is not among them
 */
export function findColumns({ name, metadata }: ParquetFile, options: ColumnOptions): Columns {
  const names = [...new Set(metadata.row_groups[0]?.columns.map((c) => c.meta_data?.path_in_schema[0] ?? ''))]
  const find = (what: string, wanted: string | undefined, candidates: readonly string[]) => {
    const found = (wanted === undefined ? candidates : [wanted]).find((column) => names.includes(column))
    if (found !== undefined) return found
    throw new SpeechError(
      `${name} has no column ${wanted ?? candidates.join(' or ')} for ${what}; it has ${names.join(', ')}.`,
      `Name one with --${what}-column.`,
    )
  }
  return {
    audio: find('audio', options.audioColumn, ['audio']),
    text: find('text', options.textColumn, TEXT),
    id: ID.find((column) => names.includes(column)),
    speaker: SPEAKER.find((column) => names.includes(column)),
  }
}

export function rowsOfGroup({ metadata }: ParquetFile, group: number): number {
  return Number(metadata.row_groups[group]?.num_rows ?? 0)
}

/** Bytes to fetch for the columns of a row group. */
export function bytesOfGroup({ metadata }: ParquetFile, group: number, columns: Columns): number {
  const wanted = new Set<string | undefined>(Object.values(columns))
  return (metadata.row_groups[group]?.columns ?? [])
    .filter(({ meta_data: data }) => wanted.has(data?.path_in_schema[0]))
    .reduce((sum, { meta_data: data }) => sum + Number(data?.total_compressed_size ?? 0), 0)
}

/** All rows of a row group. */
export async function readGroup(
  { buffer, metadata }: ParquetFile,
  group: number,
  columns: Columns,
): Promise<SpeechRow[]> {
  const rowStart = metadata.row_groups
    .slice(0, group)
    .reduce((sum, { num_rows: rows }) => sum + Number(rows), 0)
  const rowEnd = rowStart + Number(metadata.row_groups[group]?.num_rows ?? 0)
  const names = Object.values(columns).filter((column) => column !== undefined)
  // utf8: false, since text and bytes are one physical type; columns marked as text come as text all the same.
  const rows = await parquetReadObjects({
    file: buffer,
    metadata,
    columns: names,
    rowStart,
    rowEnd,
    compressors,
    utf8: false,
  })
  return rows.map((row) => ({
    id: columns.id === undefined ? undefined : textOf(row[columns.id]),
    text: textOf(row[columns.text]),
    speaker: columns.speaker === undefined ? undefined : textOf(row[columns.speaker]),
    audio: audioOf(row[columns.audio]),
  }))
}

function textOf(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value)
}

/** `audio` of the datasets library is a struct of bytes and path; others store the bytes alone. */
function audioOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value
  const bytes = (value as { bytes?: unknown } | null | undefined)?.bytes
  return bytes instanceof Uint8Array && bytes.length > 0 ? bytes : undefined
}
