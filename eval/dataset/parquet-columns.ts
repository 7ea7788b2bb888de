// SPDX-License-Identifier: Apache-2.0

import type { SchemaTree } from 'hyparquet'
import { SpeechError } from '../runtime/speech-error.ts'
import { COLUMNS, type ColumnOptions, findColumns, missingColumn } from './columns.ts'
import type { ParquetFile } from './parquet-file.ts'

/** The columns that are read, by what they hold. */
export interface Columns {
  readonly audio: string
  readonly text: string
  /** fields of the text column that lead to the text */
  readonly textFields: readonly string[]
  readonly id: string | undefined
  readonly speaker: string | undefined
  /** there is no audio in the file, only where it is */
  readonly hasOnlyPaths: boolean
}

const NUMBERS = ['INT32', 'INT64', 'FLOAT', 'DOUBLE']
const AUDIO_HINT =
  'Audio is bytes, {bytes, path}, {array, sampling_rate} or the name of a file; --audio-column names a column.'

/**
 * Which columns hold audio, reference, id and speaker.
 * @throws SpeechError listing the columns when audio or text is not among them, or saying what they hold instead
 */
export function findParquetColumns(file: ParquetFile, options: ColumnOptions): Columns {
  const { name, schema } = file
  const names = schema.children.map(({ element }) => element.name)
  const found = findColumns(names, options)
  const audio = audioColumn(file, found.audio, options)
  if (found.text === undefined) throw missingColumn(name, 'text', names, options)
  const textFields = fieldsOf(options.textColumn, found.text)
  requireText(name, found.text, textFields, schema)
  return {
    ...{ audio, text: found.text, textFields, id: found.id, speaker: found.speaker },
    hasOnlyPaths: isPaths(file, audio),
  }
}

/** How a path of fields is written: `text.en`. */
function fieldsOf(wanted: string | undefined, column: string): string[] {
  return wanted?.startsWith(`${column}.`) ? wanted.slice(column.length + 1).split('.') : []
}

/** The first column by name that holds audio in a form that is read. */
function audioColumn(file: ParquetFile, found: string | undefined, options: ColumnOptions): string {
  const { name, schema } = file
  const names = schema.children.map(({ element }) => element.name)
  if (found === undefined) throw missingColumn(name, 'audio', names, options)
  const others =
    options.audioColumn === undefined ? COLUMNS.audio.filter((candidate) => names.includes(candidate)) : []
  const column = [found, ...others].find((candidate) => holdsAudio(childOf(schema, candidate)))
  if (column !== undefined) return column
  throw new SpeechError(
    `${name}: the column ${found} is ${describe(childOf(schema, found))}, wanted audio.`,
    AUDIO_HINT,
  )
}

function holdsAudio(node: SchemaTree | undefined): boolean {
  if (node === undefined) return false
  if (node.children.length === 0) return node.element.type === 'BYTE_ARRAY'
  const isBytes = (field: string) => childOf(node, field)?.element.type === 'BYTE_ARRAY'
  if (isBytes('bytes') || isBytes('path')) return true
  const array = childOf(node, 'array')
  const hasRate = NUMBERS.includes(childOf(node, 'sampling_rate')?.element.type ?? '')
  return array !== undefined && isList(array) && hasRate
}

/** Names of files: text, or a struct in which no row has bytes. */
function isPaths({ schema, metadata }: ParquetFile, audio: string): boolean {
  const node = childOf(schema, audio)
  if (node === undefined || childOf(node, 'array')) return false
  if (node.children.length === 0) return isString(node)
  if (childOf(node, 'bytes') === undefined) return true
  const chunks = metadata.row_groups.flatMap(({ columns }) =>
    columns.filter(({ meta_data: data }) => data?.path_in_schema.join('.') === `${audio}.bytes`),
  )
  return (
    chunks.length > 0 &&
    chunks.every(({ meta_data: data }) => data?.statistics?.null_count === data?.num_values)
  )
}

function requireText(name: string, column: string, fields: readonly string[], schema: SchemaTree): void {
  let node = childOf(schema, column)
  for (const field of fields) node = node && childOf(node, field)
  if (node?.children.length === 0 && holdsText(node)) return
  const path = [column, ...fields].join('.')
  if (node === undefined)
    throw new SpeechError(`${name}: the column ${column} has no field ${fields.join('.')}.`)
  const strings = node.children.filter(isString).map(({ element }) => `${path}.${element.name}`)
  throw new SpeechError(
    `${name}: the column ${path} is ${describe(node)}, wanted text.`,
    strings.length > 0
      ? `Name a field of it: --text-column ${strings.join(' or ')}`
      : 'Name a column that holds text with --text-column.',
  )
}

/** Texts, bytes that may be, or whole numbers: those that are dates, times or decimals have a type above the physical one. */
function holdsText({ element }: SchemaTree): boolean {
  const { type, converted_type: converted, logical_type: logical } = element
  if (type === 'BYTE_ARRAY') return converted !== 'DECIMAL' && logical?.type !== 'DECIMAL'
  const isWhole =
    logical?.type === 'INTEGER' || converted === undefined || /^U?INT_(8|16|32|64)$/.test(converted)
  return isWhole && (logical === undefined || logical.type === 'INTEGER') && /^INT(32|64)$/.test(type ?? '')
}

/** What a column holds, for messages. */
function describe(node: SchemaTree | undefined): string {
  if (node === undefined) return 'missing'
  if (isList(node)) return `a list of ${plural(node.children[0]?.children[0] ?? node.children[0])}`
  if (node.element.converted_type === 'MAP') return 'a map'
  if (node.children.length > 0)
    return `a struct of ${node.children.map(({ element }) => element.name).join(', ')}`
  if (isString(node)) return 'text'
  return node.element.type === 'BYTE_ARRAY'
    ? 'bytes'
    : `of type ${node.element.logical_type?.type ?? node.element.type}`
}

function plural(node: SchemaTree | undefined): string {
  if (node === undefined) return 'nothing'
  if (node.children.length > 0) return isList(node) ? 'lists' : 'structs'
  return isString(node) ? 'texts' : `${node.element.type} values`
}

function isList({ element }: SchemaTree): boolean {
  return (
    element.converted_type === 'LIST' ||
    element.logical_type?.type === 'LIST' ||
    element.repetition_type === 'REPEATED'
  )
}

function isString({ element }: SchemaTree): boolean {
  return element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING'
}

function childOf(node: SchemaTree, name: string): SchemaTree | undefined {
  return node.children.find(({ element }) => element.name === name)
}
