// SPDX-License-Identifier: Apache-2.0

import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type SchemaTree,
} from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { SpeechError } from '../runtime/speech-error.ts'

/** A parquet file, its footer read. */
export interface ParquetFile {
  /** stable within the dataset */
  readonly name: string
  readonly buffer: AsyncBuffer
  readonly metadata: FileMetaData
  readonly schema: SchemaTree
}

/** Text that is not UTF-8, in a column of texts. */
export const NOT_UTF8 = Symbol('not UTF-8')

/** Bytes at the end of a file that are read for its footer; a longer footer costs a second request. */
const FOOTER_GUESS = 1 << 16
/** The magic at both ends, and the length of the footer. */
const SMALLEST = 12
const HINT = 'Get the file again, or name another.'

/**
 * Read the footer of a parquet file: its row groups and its schema.
 * @param footer the same bytes, where its footer is read
 * @throws SpeechError when the bytes are not those of a parquet file
 */
export async function openParquet(name: string, buffer: AsyncBuffer, footer = buffer): Promise<ParquetFile> {
  if (buffer.byteLength === 0) throw new SpeechError(`${name} is empty (0 bytes).`, HINT)
  if (buffer.byteLength < SMALLEST)
    throw new SpeechError(`${name} is not a parquet file: it has ${buffer.byteLength} bytes.`, HINT)
  const metadata = await readWith(`${name} is not a parquet file, or its footer is damaged.`, () =>
    parquetMetadataAsync(footer, { initialFetchSize: FOOTER_GUESS }),
  )
  return { name, buffer, metadata, schema: parquetSchema(metadata) }
}

/** Rows of a row group, as the footer has it; 0 for a group that is not there. */
export function rowsOfGroup({ metadata }: ParquetFile, group: number): number {
  return Number(metadata.row_groups[group]?.num_rows ?? 0)
}

/** Column chunks of a row group, of columns by their names at the top. */
export function chunksOfGroup(
  { metadata }: ParquetFile,
  group: number,
  columns: readonly (string | undefined)[],
) {
  return (metadata.row_groups[group]?.columns ?? []).flatMap(({ meta_data: data }) =>
    data && columns.includes(data.path_in_schema[0]) ? [data] : [],
  )
}

/**
 * All rows of a row group.
 * @param columns by their names at the top
 * @throws SpeechError when the row group is damaged
 */
export async function readRows(
  file: ParquetFile,
  group: number,
  columns: readonly string[],
): Promise<Record<string, unknown>[]> {
  const { buffer, metadata, name } = file
  const rowStart = metadata.row_groups
    .slice(0, group)
    .reduce((sum, { num_rows: rows }) => sum + Number(rows), 0)
  return readWith(`${name}: row group ${group} of ${metadata.row_groups.length} cannot be read.`, () =>
    parquetReadObjects({
      ...{ file: buffer, metadata, columns: [...columns], compressors },
      ...{ rowStart, rowEnd: rowStart + rowsOfGroup(file, group) },
      // Text and bytes are one physical type; columns marked as text come as text anyway.
      utf8: false,
      parsers: { stringFromBytes: decodeText },
    }),
  )
}

/** What is wrong with the bytes is said in our words; what is wrong on the way to them is passed on. */
async function readWith<T>(message: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const { name, code } = error as NodeJS.ErrnoException
    if (error instanceof SpeechError || name === 'AbortError' || code !== undefined) throw error
    throw new SpeechError(message, HINT)
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Text of UTF-8 bytes.
 * @returns {@link NOT_UTF8} for bytes that are not valid, undefined for none
 */
export function decodeText(bytes: Uint8Array | undefined): string | symbol | undefined {
  if (bytes === undefined) return undefined
  try {
    return decoder.decode(bytes)
  } catch {
    return NOT_UTF8
  }
}
