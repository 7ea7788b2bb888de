// SPDX-License-Identifier: Apache-2.0

import type { Interval } from '../bootstrap.ts'
import type { HotwordDifferences, HotwordFigures, HotwordRate } from '../hotwords/hotword-figures.ts'
import type { PairedRow, Row } from '../summary.ts'
import { type Cell, type Column, cell, column, type FigureTable, nameCell } from './figure-table.ts'
import { percent, signed } from './number-text.ts'
import { sentence } from './sentence.ts'

const METRICS = ['wer', 'bWer', 'uWer', 'recall', 'falseInsertions'] as const
type Metric = (typeof METRICS)[number]

/** A figure's head in a table, its name in a CSV file, and what it is counted in: a hundred, or a thousand words. */
const HEADS: Readonly<
  Record<Metric, { readonly label: string; readonly csv: string; readonly unit: number }>
> = {
  wer: { label: 'WER', csv: 'WER', unit: 100 },
  bWer: { label: 'B-WER', csv: 'B-WER', unit: 100 },
  uWer: { label: 'U-WER', csv: 'U-WER', unit: 100 },
  recall: { label: 'recall', csv: 'recall', unit: 100 },
  falseInsertions: { label: 'false / 1000', csv: 'false insertions a word', unit: 1000 },
}

/** Two columns for each figure: its value, and its interval. */
const FIGURES: readonly Column[] = METRICS.flatMap((metric) => {
  const { label, csv } = HEADS[metric]
  return [column(label, [csv]), column('95 % interval', [`${csv} low`, `${csv} high`])]
})
const RATES: readonly Column[] = [
  column('system'),
  ...FIGURES,
  ...['false', 'recited', 'hotwords', 'words', 'utterances'].map((label) => column(label)),
]
const CHANGES: readonly Column[] = [column('system'), ...FIGURES, column('utterances')]

/**
 * A table of figures and one of what the lists changed; none unless utterances have lists of hotwords.
 * @param differences of the dataset
 */
export function hotwordTables(
  dataset: string,
  rows: readonly Row[],
  differences: readonly PairedRow[],
): FigureTable[] {
  const rates = rows.flatMap((row) => (row.hotwords ? [rateCells(row, row.hotwords)] : []))
  const changes = differences.flatMap(({ second, hotwords }) =>
    hotwords ? [changeCells(second, hotwords)] : [],
  )
  const name = { name: dataset }
  return [
    { title: sentence`Hotwords on ${name}`, columns: RATES, rows: rates },
    {
      title: sentence`What lists of hotwords changed on ${name}: with them less without, in points`,
      columns: CHANGES,
      rows: changes,
    },
  ].filter((table) => table.rows.length > 0)
}

function rateCells({ system, recitals }: Row, figures: HotwordFigures): Cell[] {
  const counts = [
    figures.falseInsertions.count,
    recitals,
    figures.bWer.of,
    figures.wer.of,
    figures.utterances,
  ]
  return [
    nameCell(system),
    ...METRICS.flatMap((metric) => {
      const { unit } = HEADS[metric]
      const write = unit === 100 ? percent : (share: number) => (unit * share).toFixed(2)
      return figureCells(figures[metric].rate, figures[metric], write)
    }),
    ...counts.map((count) => cell(String, count)),
  ]
}

function changeCells(system: string, differences: HotwordDifferences): Cell[] {
  return [
    nameCell(system),
    ...METRICS.flatMap((metric) => {
      const write = (share: number) => signed(HEADS[metric].unit * share)
      return figureCells(differences[metric].difference, differences[metric], write)
    }),
    cell(String, differences.utterances),
  ]
}

function figureCells(value: number, { low, high }: Interval, write: (value: number) => string): Cell[] {
  return [cell(write, value), cell(() => `${write(low)} to ${write(high)}`, low, high)]
}

/** Columns of results.csv: shares; empty where there are no lists. */
export function hotwordColumns(
  { hotwords, recitals }: Row,
  number: (value: number | undefined) => string,
): Record<string, string | number> {
  const rate = (name: string, found: HotwordRate | undefined) => ({
    [name]: number(found?.rate),
    [`${name}_low`]: number(found?.low),
    [`${name}_high`]: number(found?.high),
  })
  return {
    hotword_utterances: hotwords?.utterances ?? '',
    ...rate('hotword_wer', hotwords?.wer),
    ...rate('b_wer', hotwords?.bWer),
    ...{ b_errors: hotwords?.bWer.count ?? '', b_words: hotwords?.bWer.of ?? '' },
    ...rate('u_wer', hotwords?.uWer),
    ...{ u_errors: hotwords?.uWer.count ?? '', u_words: hotwords?.uWer.of ?? '' },
    ...rate('hotword_recall', hotwords?.recall),
    ...{ hotwords_recognized: hotwords?.recall.count ?? '', hotwords_said: hotwords?.recall.of ?? '' },
    ...rate('false_insertion_rate', hotwords?.falseInsertions),
    ...{ false_insertions: hotwords?.falseInsertions.count ?? '', recitals },
  }
}
