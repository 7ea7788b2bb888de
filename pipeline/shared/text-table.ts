// SPDX-License-Identifier: Apache-2.0

import stringWidth from 'string-width'
import { printable } from './printable.ts'
import { columnsOf, longestUnit, wrapWords } from './text-width.ts'

type Row = readonly string[]

const INDENT = '  '
const GAP = '  '
/** A column of text is not made narrower than this: below, blocks are easier to read. */
const NARROWEST = 16

/**
 * A table as lines. One that is wider than the terminal is laid out again, so that no line breaks inside a cell.
 * Columns of text are wrapped at words. Or the table is cut into several that repeat the first column, where its
 * cells differ, or each row becomes a block of `column: value` lines. A word that is wider than the terminal stays
 * whole, to be copied.
 * @param width columns of the terminal; a file or a pipe has no limit
 */
export function tableLines(columns: Row, given: readonly Row[], width = columnsOf(process.stdout)): string[] {
  const rows = given.map((row) => row.map(printable)) // before widths are measured
  const room = width - stringWidth(INDENT)
  const table = measure(columns, rows)
  const fitted = table.total <= room ? table : narrowed(table, room)
  return (fitted ? drawn(fitted) : (split(table, room) ?? blocks(table, room))).map((line) =>
    `${INDENT}${line}`.trimEnd(),
  )
}

interface Table {
  readonly columns: Row
  readonly rows: readonly Row[]
  /** of each column */
  readonly widths: readonly number[]
  readonly total: number
  /** columns whose cells stand right */
  readonly numbers: readonly boolean[]
}

function measure(columns: Row, rows: readonly Row[]): Table {
  const widths = columns.map((column, i) =>
    Math.max(stringWidth(column), ...rows.map((row) => stringWidth(row[i] ?? ''))),
  )
  const numbers = columns.map((_, i) => rows.every((row) => /^[\d.,+-]/.test(row[i] ?? '')))
  return { columns, rows, widths, total: totalOf(widths), numbers }
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, stringWidth(GAP) * (widths.length - 1))
}

/** The same table with its widest columns of text wrapped at words; undefined when that is not enough. */
function narrowed(table: Table, room: number): Table | undefined {
  const least = table.widths.map((width, i) =>
    table.numbers[i] ? width : Math.min(width, Math.max(NARROWEST, longestWord(table, i))),
  )
  const widths = [...table.widths]
  while (totalOf(widths) > room) {
    const spare = widths.map((width, i) => (width > (least[i] ?? 0) ? width : 0))
    const widest = spare.indexOf(Math.max(...spare))
    if ((spare[widest] ?? 0) === 0) return undefined
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return { ...table, widths, total: totalOf(widths) }
}

function longestWord({ columns, rows }: Table, i: number): number {
  return Math.max(...[columns, ...rows].map((row) => longestUnit(row[i] ?? '')))
}

function drawn({ columns, rows, widths, numbers }: Table): string[] {
  const line = (cells: Row) =>
    cells.map((cell, i) => padded(cell, widths[i] ?? 0, numbers[i] ?? false)).join(GAP)
  const lines = (row: Row) => {
    const parts = widths.map((width, i) => wrapWords(row[i] ?? '', width))
    const height = Math.max(...parts.map(({ length }) => length))
    return Array.from({ length: height }, (_, at) => line(parts.map((part) => part[at] ?? '')).trimEnd())
  }
  return [...lines(columns), widths.map((width) => '-'.repeat(width)).join(GAP), ...rows.flatMap(lines)]
}

/** padStart and padEnd count UTF-16 units, of which a wide character has one or two. */
function padded(cell: string, width: number, isNumber: boolean): string {
  const fill = ' '.repeat(Math.max(0, width - stringWidth(cell)))
  return isNumber ? fill + cell : cell + fill
}

/**
 * Several tables with as many columns as fit, the first one in each; undefined when two columns are too wide, or the first
 * does not say which row is meant.
 */
function split(table: Table, room: number): string[] | undefined {
  if (new Set(table.rows.map(([first]) => first)).size < table.rows.length) return undefined
  const parts: number[][] = []
  for (let i = 1; i < table.columns.length; i++) {
    const last = parts.at(-1)
    if (last && picked(table, [...last, i]).total <= room) last.push(i)
    else parts.push([0, i])
  }
  const tables = parts.map((indices) => {
    const part = picked(table, indices)
    return part.total <= room ? part : narrowed(part, room)
  })
  if (tables.length < 2 || tables.includes(undefined)) return undefined
  return tables.flatMap((part, i) => [...(i === 0 ? [] : ['']), ...(part ? drawn(part) : [])])
}

function picked({ columns, rows }: Table, indices: readonly number[]): Table {
  const pick = (row: Row) => indices.map((i) => row[i] ?? '')
  return measure(pick(columns), rows.map(pick))
}

/** A row after the other: its first cell, then the others with their columns' names. */
function blocks({ columns, rows }: Table, room: number): string[] {
  return rows.flatMap(([first = '', ...rest], i) => [
    ...(i === 0 ? [] : ['']),
    first || columns[0] || '',
    ...rest.flatMap((cell, j) => {
      const [head = '', ...more] = wrapWords(`${columns[j + 1]}: ${cell}`, room - 4)
      return cell === '' ? [] : [`  ${head}`, ...more.map((line) => `    ${line}`)]
    }),
  ])
}
