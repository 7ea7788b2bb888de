// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import { allScores, type Chart, chartSystems, knownRows, panelsOf, upTo } from './chart-rows.ts'
import { cell, nameCell } from './figure-table.ts'
import { isolated } from './label.ts'
import { placesInList } from './listed.ts'
import { megabytes, percent } from './number-text.ts'
import { drawPlot, pointLabels } from './plot.ts'
import type { Report } from './report.ts'

/** Names stand beside their points up to this many systems; the legend has all. */
const NAMED = 12
const NAME_COLUMNS = 20
const HEIGHT = 300
/** Dots of one system that would lie on each other, within these shares of the chart, are drawn once. */
const CELLS = 160

/** Chart of WER against RTF. @returns undefined where there is nothing to draw */
export function againstSpeed(report: Report): Chart | undefined {
  const rows = knownRows(report)
    .filter(({ speed }) => Number.isFinite(speed.rtf))
    .map((row) => ({ row, x: row.speed.rtf }))
  return scatter(report, rows, {
    ...{ id: 'wer-rtf', title: 'Accuracy against speed' },
    ...{ note: 'Nearer to the lower left corner is better.', unit: 'RTF', label: 'RTF' },
    write: (rtf) => rtf.toFixed(4),
  })
}

/**
 * Chart of WER against the size of the variant's files, in MB.
 * @returns undefined where there is nothing to draw
 */
export function againstSize(report: Report): Chart | undefined {
  const sizes = new Map(report.systems.map(({ name, bytes }) => [name, bytes]))
  const rows = knownRows(report).flatMap((row) => {
    const bytes = sizes.get(row.system)
    return bytes === undefined ? [] : [{ row, x: bytes / 1e6 }]
  })
  return scatter(report, rows, {
    ...{ id: 'wer-size', title: 'Accuracy against package size' },
    ...{ note: 'Files of the variant, uncompressed.', unit: 'size', label: 'MB' },
    write: (size) => megabytes(size * 1e6),
  })
}

interface ScatterText extends Pick<Chart, 'id' | 'title' | 'note'> {
  /** in the table of values, and at the axis */
  readonly unit: string
  readonly label: string
  readonly write: (value: number) => string
}

function scatter(
  report: Report,
  found: readonly { readonly row: ReturnType<typeof knownRows>[number]; readonly x: number }[],
  { unit, label, write, ...text }: ScatterText,
): Chart | undefined {
  if (found.length === 0) return undefined
  const systems = chartSystems(report, NAME_COLUMNS)
  const rows = found.map(({ row, x }, index) => ({
    ...{ ...systems.get(row.system), dataset: row.dataset, index, x, y: 100 * row.wer },
    ...{ low: 100 * row.werInterval.low, high: 100 * row.werInterval.high },
  }))
  const options: Plot.PlotOptions = {
    ...{ height: HEIGHT, marginLeft: 44, marginBottom: 44, marginRight: 22, marginTop: 28 },
    x: { label, labelArrow: 'none', grid: true, ticks: 5, domain: upTo(rows.map(({ x }) => x)), nice: true },
    y: {
      label: 'WER, %',
      labelArrow: 'none',
      grid: true,
      ticks: 5,
      domain: upTo(rows.flatMap(({ y, high }) => [y, high])),
    },
  }
  return {
    ...text,
    panels: panelsOf(report, rows, (own, dataset) => {
      const channels = { x: 'x', stroke: 'colour', title: 'index' }
      const marks = [
        Plot.ruleX(own, { ...channels, y1: 'low', y2: 'high', strokeOpacity: 0.4, strokeWidth: 3 }),
        Plot.dot(own, { ...channels, y: 'y', fill: 'colour', symbol: 'symbol', r: 5 }),
      ]
      const names = own.map((row) => ({ x: row.x, y: row.y, text: row.label ?? '' }))
      const labels = own.length > NAMED ? [] : pointLabels(names, { ...options, marks })
      return drawPlot(`${text.title} of ${own.length} systems on ${isolated(dataset)}`, {
        ...options,
        marks: [...marks, ...labels],
      })
    }),
    values: {
      title: [text.title],
      columns: ['dataset', 'system', unit, 'WER'].map((name) => ({ label: name, csv: [name] })),
      rows: found.map(({ row, x }) => [
        ...[nameCell(row.dataset), nameCell(row.system), cell(write, x), cell(percent, row.wer)],
      ]),
    },
  }
}

/** Seconds of compute of each utterance. Marks carry its place in the list and that of the system. */
export function latencies(report: Report): Chart | undefined {
  const systems = chartSystems(report)
  const numbers = new Map([...systems.keys()].map((name, i) => [name, i]))
  const places = placesInList(report)
  const rows = allScores(report).flatMap(({ system, dataset, score: { record } }) => {
    if (record.problem !== undefined) return []
    const { key, seconds, compute } = record
    const value = JSON.stringify([places.get(dataset)?.get(key), numbers.get(system)])
    return [{ ...systems.get(system), dataset, system, seconds, compute, value }]
  })
  if (rows.length === 0) return undefined
  const x = upTo(rows.map(({ seconds }) => seconds))
  const y = upTo(rows.map(({ compute }) => compute))
  const seen = new Set<string>()
  const drawn = rows.filter(({ dataset, system, seconds, compute }) => {
    const cellOf = (value: number, end: number) => Math.round((CELLS * value) / end)
    const place = JSON.stringify([dataset, system, cellOf(seconds, x[1]), cellOf(compute, y[1])])
    return !seen.has(place) && seen.add(place)
  })
  return {
    id: 'latency',
    title: 'Latency against clip length',
    note: `Each dot is an utterance${drawn.length < rows.length ? ' (one of those that would cover each other)' : ''}; the values are in the list below.`,
    panels: panelsOf(report, drawn, (own, dataset) =>
      drawPlot(`Seconds of compute against seconds of audio on ${isolated(dataset)}`, {
        ...{ height: HEIGHT, marginLeft: 44, marginBottom: 44, marginRight: 22, marginTop: 28 },
        x: { label: 'clip, s', labelArrow: 'none', grid: true, ticks: 5, domain: x },
        y: { label: 'compute, s', labelArrow: 'none', grid: true, ticks: 5, domain: y },
        marks: [
          Plot.dot(own, {
            ...{ x: 'seconds', y: 'compute', stroke: 'colour', symbol: 'symbol', r: 2.5, title: 'value' },
          }),
        ],
      }),
    ),
  }
}
