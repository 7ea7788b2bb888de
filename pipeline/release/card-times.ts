// SPDX-License-Identifier: Apache-2.0

import { milliseconds, percent, signedMilliseconds } from '../../eval/report/number-text.ts'
import { mainRows, type Report } from '../../eval/report/report.ts'
import { intervalText } from './main-figure.ts'
import { markdownTable } from './markdown-table.ts'

/** How right the times of words are, where variants and references have them. */
export function timesTable(report: Report, dataset: string): string[] {
  const rows = mainRows(report).flatMap(({ system, times, ...row }) =>
    times && row.dataset === dataset ? [{ system, times }] : [],
  )
  if (rows.length === 0) return []
  return [
    `Starts and ends of words against those of the references: mean and median of the absolute error, and how many are at most 80 and 200 ms away.

${markdownTable(
  ['variant', 'mean error', '95 % interval', 'median', 'bias', '≤ 80 ms', '≤ 200 ms'],
  rows.map(({ system, times: { all, meanInterval } }) => [
    ...[system, milliseconds(all.mean), intervalText(meanInterval, milliseconds)],
    ...[milliseconds(all.median), signedMilliseconds(all.bias)],
    ...[percent(all.within80), percent(all.within200)],
  ]),
)}

How many edges of words have a time on both sides, and how many words have no length, or begin before the one in front of them:

${markdownTable(
  ['variant', 'edges', 'zero length', 'out of order'],
  rows.map(({ system, times: { all, referenceEdges, odd } }) => [
    ...[system, `${all.edges} of ${referenceEdges}`],
    ...[odd.zeroLength, odd.nonMonotonic].map((count) => `${count} of ${odd.words}`),
  ]),
)}`,
  ]
}
