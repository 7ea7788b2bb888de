// SPDX-License-Identifier: Apache-2.0

import type { Sentence } from './sentence.ts'

/** A table for people, with the numbers behind it. */
export interface FigureTable {
  readonly title: Sentence
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly Cell[])[]
}

/** A column of a table. */
export interface Column {
  readonly label: string
  /** names of a cell's values in a CSV file */
  readonly csv: readonly string[]
}

/** A cell of a table: its text for readers, and its values for programs. */
export interface Cell {
  readonly text: string
  /** in base units, not rounded; none where nothing is known, and in cells of text */
  readonly values?: readonly number[]
  /** the text is of others */
  readonly isName?: boolean
}

/** A column with its label. @param csv names of the values; by default one that is the label */
export function column(label: string, csv: readonly string[] = [label]): Column {
  return { label, csv }
}

/** The cell of a name, which is text of others. */
export function nameCell(text: string): Cell {
  return { text, isName: true }
}

/** Without the columns in which nothing is known of any row. */
export function withoutUnknown({ title, columns, rows }: FigureTable): FigureTable {
  const isKnown = (_: unknown, i: number) => rows.some((cells) => cells[i]?.text !== UNKNOWN)
  return { title, columns: columns.filter(isKnown), rows: rows.map((cells) => cells.filter(isKnown)) }
}

const UNKNOWN = '-'

/** A dash for what is not known. */
export function cell(write: (value: number) => string, ...values: readonly (number | undefined)[]): Cell {
  const known = values.filter((value) => value !== undefined && Number.isFinite(value)) as number[]
  const [first] = known
  return first === undefined || known.length < values.length
    ? { text: UNKNOWN }
    : { text: write(first), values: known }
}
