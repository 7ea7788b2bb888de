// SPDX-License-Identifier: Apache-2.0

import type { Interval } from '../bootstrap.ts'
import type { Row } from '../summary.ts'
import type { TimeComparison } from '../time-comparison.ts'
import type { EdgeFigures, EdgeSummary, TimeFigures } from '../time-errors.ts'
import { type Cell, type Column, cell, column, type FigureTable, nameCell } from './figure-table.ts'
import { milliseconds, percent, signedMilliseconds } from './number-text.ts'
import { sentence } from './sentence.ts'

/** @param what of edges there is, and whose they are compared with */
function edgeColumns(what: string, reference: string): Column[] {
  return [
    column('system'),
    column(what, [`mean ${what}, s`, `median ${what}, s`]),
    column('95 % interval', [`mean ${what} low, s`, `mean ${what} high, s`]),
    ...['starts', 'ends'].map((edges) =>
      column(edges, [`${edges}: mean ${what}, s`, `${edges}: median ${what}, s`]),
    ),
    column('bias', ['bias, s']),
    ...['80 ms', '200 ms'].map((most) => column(`≤ ${most}`, [`within ${most}`])),
    column('edges', ['edges', `edges of the ${reference}`]),
  ]
}

const TIMES: readonly Column[] = [
  ...edgeColumns('error', 'reference'),
  ...['zero length', 'out of order', 'after the end', 'words'].map((label) => column(label)),
]
const COMPARED: readonly Column[] = [...edgeColumns('difference', 'aligner'), column('utterances')]

/** None unless a system and the references have times. */
export function timeTable(dataset: string, rows: readonly Row[]): FigureTable[] {
  const timed = rows.flatMap(({ system, times }) => (times ? [timeCells(system, times)] : []))
  const title = sentence`Times of words on ${{ name: dataset }}: mean error (median) of starts and ends`
  return timed.length > 0 ? [{ title, columns: TIMES, rows: timed }] : []
}

/** One for each aligner that others can be compared with. */
export function comparisonTables(dataset: string, comparisons: readonly TimeComparison[]): FigureTable[] {
  const aligners = [...new Set(comparisons.map(({ aligner }) => aligner))]
  return aligners.map((name) => ({
    title: sentence`Times of words on ${{ name: dataset }} against those of ${{ name }}: mean difference (median)`,
    columns: COMPARED,
    rows: comparisons
      .filter(({ aligner }) => aligner === name)
      .map((found) => [...edgeCells(found.system, found), cell(String, found.utterances)]),
  }))
}

function timeCells(system: string, { odd, ...edges }: TimeFigures): Cell[] {
  const counts = [odd.zeroLength, odd.nonMonotonic, odd.afterEnd, odd.words]
  return [...edgeCells(system, edges), ...counts.map((count) => cell(String, count))]
}

function edgeCells(system: string, { starts, ends, all, meanInterval, referenceEdges }: EdgeSummary): Cell[] {
  const error = ({ mean, median }: EdgeFigures) =>
    cell(() => `${milliseconds(mean)} (${(1000 * median).toFixed(0)})`, mean, median)
  const between = ({ low, high }: Interval) =>
    cell(() => `${(1000 * low).toFixed(0)} to ${milliseconds(high)}`, low, high)
  return [
    ...[nameCell(system), error(all), between(meanInterval), error(starts), error(ends)],
    cell(signedMilliseconds, all.bias),
    ...[all.within80, all.within200].map((share) => cell(percent, share)),
    cell(() => `${all.edges} of ${referenceEdges}`, all.edges, referenceEdges),
  ]
}

type Write = (value: number | undefined) => string

/** Columns of results.csv, in seconds and shares; empty where no aligner was measured beside the system. */
export function comparisonColumns(found: TimeComparison | undefined, number: Write) {
  const means = (name: string, figures: EdgeFigures | undefined) => ({
    [`${name}_mean`]: number(figures?.mean),
    [`${name}_median`]: number(figures?.median),
  })
  return {
    compared_with: found?.aligner ?? '',
    ...{ difference_edges: found?.all.edges ?? '', difference_edges_of_aligner: found?.referenceEdges ?? '' },
    ...means('difference', found?.all),
    ...{ difference_low: number(found?.meanInterval.low), difference_high: number(found?.meanInterval.high) },
    difference_bias: number(found?.all.bias),
    difference_within_80ms: number(found?.all.within80),
    difference_within_200ms: number(found?.all.within200),
    ...{ ...means('difference_start', found?.starts), ...means('difference_end', found?.ends) },
  }
}

/** The same of known times. */
export function timeColumns(times: TimeFigures | undefined, number: Write) {
  const edges = (name: string, figures: EdgeFigures | undefined) => ({
    [`${name}_edges`]: figures?.edges ?? '',
    [`${name}_error_mean`]: number(figures?.mean),
    [`${name}_error_median`]: number(figures?.median),
    [`${name}_bias`]: number(figures?.bias),
    [`${name}_within_80ms`]: number(figures?.within80),
    [`${name}_within_200ms`]: number(figures?.within200),
  })
  const intervals = {
    time_error_low: number(times?.meanInterval.low),
    time_error_high: number(times?.meanInterval.high),
    time_within_80ms_low: number(times?.within80Interval.low),
    time_within_80ms_high: number(times?.within80Interval.high),
  }
  return {
    ...{ time_utterances: times?.utterances ?? '', time_edges_of_reference: times?.referenceEdges ?? '' },
    ...{ ...edges('time', times?.all), ...intervals },
    ...{ ...edges('start', times?.starts), ...edges('end', times?.ends) },
    ...{ timed_words: times?.odd.words ?? '', zero_length_words: times?.odd.zeroLength ?? '' },
    ...{ words_out_of_order: times?.odd.nonMonotonic ?? '', words_after_end: times?.odd.afterEnd ?? '' },
  }
}
