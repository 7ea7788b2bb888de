// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import {
  type Chart,
  type ChartSystem,
  chartSystems,
  knownRows,
  panelsOf,
  timedRows,
  upTo,
} from './chart-rows.ts'
import { cell, nameCell } from './figure-table.ts'
import { isolated } from './label.ts'
import { percent } from './number-text.ts'
import { drawPlot } from './plot.ts'
import type { Report } from './report.ts'

const PARTS = ['mel', 'encoder', 'prefill', 'decode'] as const
/** Of a system: its name and its figure, and the mark below them. */
const ROW_HEIGHT = 42
/** Half of the longest number at the axis. */
const MARGIN = 22

/** The rate of each system with its interval. */
export function errorRates(report: Report): Chart | undefined {
  const systems = chartSystems(report)
  const rows = knownRows(report).map((row, index) => ({ ...row, index, ...systems.get(row.system) }))
  if (rows.length === 0) return undefined
  const domain = upTo(rows.flatMap(({ wer, werInterval }) => [100 * wer, 100 * werInterval.high]))
  return {
    id: 'wer',
    title: 'Word error rate',
    note: 'The bar is the 95 % bootstrap interval. Lower is better.',
    panels: panelsOf(report, rows, (own, dataset) => {
      const channels = { y: 'system', title: 'index', stroke: 'colour', dy: 9 }
      return drawPlot(
        `Word error rate of ${own.length} systems on ${isolated(dataset)}`,
        rowOptions(own, { label: 'WER, %', domain }, ({ wer }) => percent(wer), [
          Plot.ruleY(own, {
            ...channels,
            x1: ({ werInterval }) => 100 * werInterval.low,
            x2: ({ werInterval }) => 100 * werInterval.high,
            ...{ strokeWidth: 4, strokeOpacity: 0.45 },
          }),
          Plot.dot(own, { ...channels, x: ({ wer }) => 100 * wer, fill: 'colour', symbol: 'symbol', r: 5 }),
        ]),
      )
    }),
    values: {
      title: ['Word error rate'],
      columns: ['dataset', 'system', 'WER', '95 % from', 'to'].map((label) => ({ label, csv: [label] })),
      rows: rows.map(({ dataset, system, wer, werInterval: { low, high } }) => [
        ...[nameCell(dataset), nameCell(system)],
        ...[wer, low, high].map((rate) => cell(percent, rate)),
      ]),
    },
  }
}

/** Seconds of compute for each second of audio, stacked by part. */
export function realTimeFactors(report: Report): Chart | undefined {
  const systems = chartSystems(report)
  const rows = timedRows(report).map((row) => ({ ...row, ...systems.get(row.system) }))
  if (rows.length === 0) return undefined
  const bars = rows.flatMap(partsOf).map((bar, index) => ({ ...bar, index }))
  const parts = [...PARTS, 'command'].filter((part) => bars.some((bar) => bar.part === part))
  const domain = upTo(rows.map(({ speed }) => speed.rtf))
  return {
    id: 'rtf',
    title: 'Real-time factor, by part',
    note: 'Seconds of compute for each second of audio. Shorter is faster.',
    key: parts.map((label) => ({ label, colour: partColour(label) })),
    panels: panelsOf(report, rows, (own, dataset) =>
      drawPlot(
        `Real-time factor of ${own.length} systems on ${isolated(dataset)}`,
        rowOptions(own, { label: 'RTF', domain }, ({ speed }) => speed.rtf.toFixed(4), [
          Plot.barX(
            bars.filter((bar) => bar.dataset === dataset),
            {
              ...{ x: 'rtf', y: 'system', z: 'part', order: parts, title: 'index' },
              ...{ fill: ({ part }) => partColour(part), stroke: 'var(--page)', strokeWidth: 1 },
              ...{ insetTop: 21, insetBottom: 4 },
            },
          ),
        ]),
      ),
    ),
    values: {
      title: ['Real-time factor by part'],
      columns: ['dataset', 'system', 'part', 'RTF'].map((label) => ({ label, csv: [label] })),
      rows: bars.map(({ dataset, system, part, rtf }) => [
        ...[nameCell(dataset), nameCell(system), { text: part }, cell((value) => value.toFixed(4), rtf)],
      ]),
    },
  }
}

function partsOf({ system, dataset, speed }: ReturnType<typeof timedRows>[number]) {
  const { timing, audioSeconds, rtf } = speed
  const parts = timing
    ? PARTS.flatMap((part) => {
        const seconds = timing[part]
        return seconds === undefined ? [] : [{ part: part as string, rtf: seconds / audioSeconds }]
      })
    : [{ part: 'command', rtf }]
  return parts.map((part) => ({ ...part, system, dataset }))
}

function partColour(part: string): string {
  return `var(--${part})`
}

/** A row for each system: name and figure above, the marks below them, so that long names have room. */
function rowOptions<T extends { readonly system: string } & Partial<ChartSystem>>(
  rows: readonly T[],
  x: Plot.ScaleOptions,
  figure: (row: T) => string,
  marks: readonly Plot.Markish[],
): Plot.PlotOptions {
  const halo = { stroke: 'var(--page)', strokeWidth: 5 }
  const above = { y: 'system', dy: -9, fill: 'currentColor', ...halo } as const
  return {
    height: ROW_HEIGHT * rows.length + 44,
    ...{ marginLeft: MARGIN, marginRight: MARGIN, marginTop: 0, marginBottom: 44 },
    x: { grid: true, ticks: 5, ...x, labelArrow: 'none' },
    y: { type: 'band', domain: rows.map(({ system }) => system), padding: 0, axis: null },
    marks: [
      ...marks,
      Plot.text(rows, { ...above, text: (row) => row.label, frameAnchor: 'left', dx: 2 - MARGIN }),
      Plot.text(rows, { ...above, text: figure, frameAnchor: 'right', dx: MARGIN - 2, fontWeight: 600 }),
    ],
  }
}
