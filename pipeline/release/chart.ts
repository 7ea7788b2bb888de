// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import { isolated, shortened } from '../../eval/report/label.ts'
import { mainRows, type Report } from '../../eval/report/report.ts'
import { formatBytes } from '../shared/output-files.ts'
import { intervalText, type MainFigure } from './main-figure.ts'
import { LIGHT, standAlone } from './stand-alone.ts'

const ROW_HEIGHT = 46
const MARGIN = 24
/** Of a row's name, which shares its line with the figures. */
const NAME_COLUMNS = 44

/**
 * The main figure of each variant on each dataset with its interval, as an SVG file that stands by itself.
 * @param archiveBytes by variant
 * @returns undefined without figures
 */
export function figureChart(
  { title, axis, of, scale, write }: MainFigure,
  reports: readonly Report[],
  archiveBytes: ReadonlyMap<string, number>,
): string | undefined {
  const found = reports.flatMap(mainRows).flatMap((row) => {
    const figure = of(row)
    return figure ? [{ ...row, ...figure }] : []
  })
  if (found.length === 0) return undefined
  const datasets = new Set(found.map(({ dataset }) => dataset))
  const rows = found.map(({ system, dataset, value, interval, speed }, place) => ({
    ...{ place, value: scale(value), low: scale(interval.low), high: scale(interval.high) },
    name: datasets.size > 1 ? `${system} on ${dataset}` : system,
    between: intervalText(interval, write),
    label: [write(value), `RTF ${speed.rtf.toPrecision(2)}`, ...sizeOf(system, archiveBytes)].join(' · '),
  }))
  const place = [...datasets].map((name) => isolated(shortened(name, NAME_COLUMNS))).join(', ')
  const under = `${axis.name}${datasets.size > 1 ? '' : ` on ${place}`}, ${axis.unit} (bar: 95 % interval)`
  return standAlone(draw(rows, under), {
    title: `${title} on ${place}`,
    text: rows
      .map(
        ({ name, label, low, between }) =>
          `${isolated(name)}: ${label}, ${Number.isFinite(low) ? `95 % from ${between}` : between}.`,
      )
      .join(' '),
  })
}

interface Row {
  readonly place: number
  readonly name: string
  readonly label: string
  readonly value: number
  readonly low: number
  readonly high: number
}

/** Name and figures above, the mark with its interval below them. */
function draw(rows: readonly Row[], label: string): Plot.PlotOptions {
  const above = { y: 'place', dy: -10, fill: 'currentColor' } as const
  const below = { y: 'place', dy: 9, stroke: LIGHT.mark } as const
  const name = (row: Row) => shortened(isolated(row.name), NAME_COLUMNS)
  return {
    height: ROW_HEIGHT * rows.length + 56,
    ...{ marginLeft: MARGIN, marginRight: MARGIN, marginTop: 12, marginBottom: 44 },
    x: { label, labelArrow: 'none', grid: true, zero: true },
    y: { type: 'band', domain: rows.map(({ place }) => place), padding: 0, axis: null },
    marks: [
      Plot.ruleY(rows, { ...below, x1: 'low', x2: 'high', strokeWidth: 4, strokeOpacity: 0.5 }),
      Plot.dot(rows, { ...below, x: 'value', fill: LIGHT.mark, r: 5 }),
      Plot.text(rows, { ...above, text: name, frameAnchor: 'left', dx: 4 - MARGIN }),
      Plot.text(rows, { ...above, text: 'label', frameAnchor: 'right', dx: MARGIN - 4 }),
    ],
  }
}

function sizeOf(system: string, archiveBytes: ReadonlyMap<string, number>): string[] {
  const bytes = archiveBytes.get(system)
  return bytes === undefined ? [] : [formatBytes(bytes)]
}
