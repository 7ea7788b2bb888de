import type { Interval } from '../bootstrap.ts'
import type { Row } from '../summary.ts'
import type { EdgeFigures, TimeFigures } from '../time-errors.ts'
import { type Cell, type Column, cell, column, type FigureTable, nameCell } from './figure-table.ts'
import { percent } from './number-text.ts'
import { sentence } from './sentence.ts'

const TIMES: readonly Column[] = [
  column('system'),
  column('error', ['mean error, s', 'median error, s']),
  column('95 % interval', ['mean error low, s', 'mean error high, s']),
  ...['starts', 'ends'].map((edges) =>
    column(edges, [`${edges}: mean error, s`, `${edges}: median error, s`]),
  ),
  column('bias', ['bias, s']),
  ...['80 ms', '200 ms'].map((most) => column(`≤ ${most}`, [`within ${most}`])),
  column('edges', ['edges', 'edges of the reference']),
  ...['zero length', 'out of order', 'after the end', 'words'].map((label) => column(label)),
]

/** None unless a system and the references have times. */
export function timeTable(dataset: string, rows: readonly Row[]): FigureTable[] {
  const timed = rows.flatMap(({ system, times }) => (times ? [timeCells(system, times)] : []))
  const title = sentence`Times of words on ${{ name: dataset }}: mean error (median) of starts and ends`
  return timed.length > 0 ? [{ title, columns: TIMES, rows: timed }] : []
}

function timeCells(
  system: string,
  { starts, ends, all, meanInterval, referenceEdges, odd }: TimeFigures,
): Cell[] {
  const error = ({ mean, median }: EdgeFigures) =>
    cell(() => `${milliseconds(mean)} (${(1000 * median).toFixed(0)})`, mean, median)
  const between = ({ low, high }: Interval) =>
    cell(() => `${(1000 * low).toFixed(0)} to ${milliseconds(high)}`, low, high)
  return [
    ...[nameCell(system), error(all), between(meanInterval), error(starts), error(ends)],
    cell((bias) => `${bias < 0 ? '' : '+'}${milliseconds(bias)}`, all.bias),
    ...[all.within80, all.within200].map((share) => cell(percent, share)),
    cell(() => `${all.edges} of ${referenceEdges}`, all.edges, referenceEdges),
    ...[odd.zeroLength, odd.nonMonotonic, odd.afterEnd, odd.words].map((count) => cell(String, count)),
  ]
}

/** Columns of results.csv, in seconds and shares; empty where nothing is known. */
export function timeColumns(times: TimeFigures | undefined, number: (value: number | undefined) => string) {
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

function milliseconds(seconds: number): string {
  return `${(1000 * seconds).toFixed(0)} ms`
}
