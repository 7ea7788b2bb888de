// SPDX-License-Identifier: Apache-2.0

import type { Interval } from '../../eval/bootstrap.ts'
import { milliseconds, percent } from '../../eval/report/number-text.ts'
import type { Family } from '../../eval/runtime/graphs.ts'
import type { Row } from '../../eval/summary.ts'
import { CHART, TIMES_CHART } from './release-files.ts'

/** The figure by which variants of a kind of model are chosen: in the first table of a card, and in its chart. */
export interface MainFigure {
  /** over a column */
  readonly name: string
  /** of the chart */
  readonly title: string
  readonly file: string
  readonly axis: { readonly name: string; readonly unit: string }
  /** undefined where it was not measured */
  of(row: Row): { readonly value: number; readonly interval: Interval } | undefined
  /** in the unit of the axis */
  scale(value: number): number
  write(value: number): string
}

/** The figure that a card's chart shows, by kind of model: WER in percent, or the mean error of times in ms. */
export const MAIN_FIGURES: Readonly<Record<Family, MainFigure>> = {
  asr: {
    ...{ name: 'WER', title: 'Word error rate', file: CHART, axis: { name: 'WER', unit: '%' } },
    of: ({ utterances, wer, werInterval }) =>
      utterances > 0 && Number.isFinite(wer) ? { value: wer, interval: werInterval } : undefined,
    scale: (rate) => 100 * rate,
    write: percent,
  },
  aligner: {
    ...{ name: 'mean error', title: 'Mean error of the times of words', file: TIMES_CHART },
    axis: { name: 'Mean error', unit: 'ms' },
    of: ({ times }) =>
      times && Number.isFinite(times.all.mean)
        ? { value: times.all.mean, interval: times.meanInterval }
        : undefined,
    scale: (seconds) => 1000 * seconds,
    write: milliseconds,
  },
}

/** "0.00 % to 2.63 %" */
export function intervalText({ low, high }: Interval, write: MainFigure['write']): string {
  return Number.isFinite(low) ? `${write(low)} to ${write(high)}` : 'no interval'
}
