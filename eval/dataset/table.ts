// SPDX-License-Identifier: Apache-2.0

import { dirname } from 'node:path'
import { Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { SpeechError } from '../runtime/speech-error.ts'
import { lineEnds, readLines, textChunks } from '../text-file.ts'
import {
  type ColumnOptions,
  type FoundColumns,
  findColumns,
  type ManifestOptions,
  mayLackText,
  missingColumn,
} from './columns.ts'
import { type Entry, entryOf } from './entry.ts'

/** What may part columns. */
const DELIMITERS = [',', ';', '\t', '|']

/** A field in quotes, its own doubled. */
const QUOTED = /^"((?:[^"]|"")*)"$/
/** In characters; a longer one has a quote that is not closed. */
const LONGEST_RECORD = 1 << 20

interface Parsed {
  /** `lines`: where the record ends */
  readonly info: { readonly lines: number }
  readonly record: readonly string[]
}

interface Row {
  /** where it begins */
  readonly line: number
  readonly fields: readonly string[]
}

/**
 * A table with a header: CSV (RFC 4180) with commas, semicolons or bars (the header decides), or with tabs. Fields
 * between tabs are taken as they are, quotes included, as Common Voice writes them.
 * @throws SpeechError naming the columns when recording or text is not among them, or the line with too many fields
 */
export async function* readTable(path: string, options: ManifestOptions): AsyncGenerator<Entry> {
  const delimiter = await delimiterOf(path, options)
  const rows = delimiter === '\t' ? tabbedRows(path) : quotedRows(path, delimiter)
  const folder = dirname(path)
  let header: readonly string[] | undefined
  let columns = findColumns([])
  for await (const { line, fields } of rows) {
    if (header === undefined) {
      header = fields
      columns = columnsOf(path, header, options)
      continue
    }
    const where = `${path}, line ${line}`
    requireFields(fields, header, where)
    const values: Record<string, string> = {}
    for (const [i, name] of header.entries()) values[name] = fields[i] ?? ''
    yield entryOf(values, { where, folder, options, columns })
  }
}

/** @throws SpeechError when recording or text is not among them, or one that is read is there twice */
function columnsOf(path: string, header: readonly string[], options: ManifestOptions): FoundColumns {
  const columns = findColumns(header, options)
  if (columns.audio === undefined) throw withHeaderHint(missingColumn(path, 'audio', header, options))
  if (columns.text === undefined && !mayLackText(options)) throw missingColumn(path, 'text', header, options)
  for (const name of Object.values(columns)) {
    if (name !== undefined && header.indexOf(name) !== header.lastIndexOf(name))
      throw new SpeechError(`${path} has two columns named ${name}.`, 'Rename one of them.')
  }
  return columns
}

function withHeaderHint({ message, hint }: SpeechError): SpeechError {
  return new SpeechError(message, `The first line must name the columns, such as file,text. ${hint}`)
}

/** The one that gives the header the columns that are wanted, or else the most columns. */
async function delimiterOf(path: string, options: ColumnOptions): Promise<string> {
  let header = ''
  for await (const { text } of readLines(path)) {
    header = text
    if (text.trim() !== '') break
  }
  const candidates = DELIMITERS.map((delimiter) => {
    const names = header.split(delimiter).map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
    const { audio, text } = findColumns(names, options)
    const found = (audio === undefined ? 0 : 1) + (text === undefined ? 0 : 1)
    return { delimiter, score: found * 1000 + names.length }
  })
  return candidates.reduce((a, b) => (b.score > a.score ? b : a)).delimiter
}

function requireFields(fields: readonly string[], header: readonly string[], where: string): void {
  const extra = fields.slice(header.length)
  if (fields.length >= header.length && extra.every((field) => field === '')) return
  throw new SpeechError(
    `${where} has ${fields.length} ${fields.length === 1 ? 'field' : 'fields'}, wanted ${header.length} as the header has.`,
    'A field that holds the delimiter or a line end must be in double quotes; in a table with tabs it cannot.',
  )
}

/** CSV as RFC 4180 has it; white space around fields does not count. */
async function* quotedRows(path: string, delimiter: string): AsyncGenerator<Row> {
  let begins = 1 // the record that is being read
  const parser = parse({
    delimiter,
    info: true,
    max_record_size: LONGEST_RECORD,
    on_record(record, { lines }) {
      begins = lines + 1
      return record
    },
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  })
  const text = Readable.from(textChunks(path))
  text.on('error', (error) => parser.destroy(error))
  try {
    for await (const { info, record } of text.pipe(parser) as AsyncIterable<Parsed>) {
      const inside = record.reduce((sum, field) => sum + lineEnds(field), 0)
      yield { line: info.lines - inside, fields: record.map((field) => field.replaceAll('\r\n', '\n')) }
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    const isQuote = /_(OPENING|CLOSING)_QUOTE$/.test(error.code)
    throw quoteError(`${path}, line ${isQuote ? error['lines'] : begins}`)
  } finally {
    text.destroy()
  }
}

function quoteError(where: string): SpeechError {
  return new SpeechError(
    `${where} is not valid CSV: a double quote is not closed, or is within a field.`,
    'Write a field that holds quotes in double quotes, each of its own doubled: "say ""no"""',
  )
}

async function* tabbedRows(path: string): AsyncGenerator<Row> {
  for await (const { text, number } of readLines(path)) {
    if (text.trim() === '') continue
    yield { line: number, fields: text.split('\t').map(unquoted) }
  }
}

/** Spreadsheets quote fields between tabs as well, and double the quotes within. */
function unquoted(field: string): string {
  const text = field.trim()
  const inside = QUOTED.exec(text)?.[1]
  return inside === undefined ? text : inside.replaceAll('""', '"')
}
