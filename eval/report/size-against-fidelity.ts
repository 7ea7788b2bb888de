// SPDX-License-Identifier: Apache-2.0

import type { Chart, ChartSystem } from './chart-rows.ts'
import { drawable, type FidelityPoint, fidelityPlot, isDominated } from './fidelity-plot.ts'
import { cell, nameCell } from './figure-table.ts'
import { distinctLabels } from './label.ts'
import { megabytes } from './number-text.ts'
import { drawPlot, WIDTH } from './plot.ts'

const NAME_COLUMNS = 18
const HEIGHT = 380
const INK = 'var(--ink)'

/** Size against divergence from FP32, of variants and trials: what a smaller package costs. */
export function sizeAgainstFidelity(
  points: readonly FidelityPoint[],
  systems: ReadonlyMap<string, ChartSystem>,
): Chart | undefined {
  const drawn = drawable(points)
  if (drawn.length === 0) return undefined
  const labels = distinctLabels(
    drawn.map(({ name }) => name),
    NAME_COLUMNS,
  )
  const named = drawn.map((point) => ({ ...point, name: labels.get(point.name) ?? point.name }))
  const colours = new Map(drawn.map(({ name }) => [labels.get(name), systems.get(name)?.colour]))
  const title = 'Size against divergence from FP32'
  const alt = `${title}: ${drawn.length} ${drawn.length === 1 ? 'variant' : 'variants and trials'}`
  return {
    ...{ id: 'fidelity', title },
    note: 'Nearer to the lower left corner is better. The bar is the 95\u00a0% bootstrap interval; a larger dot is faster.',
    panels: [
      {
        svg: drawPlot(
          alt,
          fidelityPlot(named, {
            ...{ width: WIDTH, height: HEIGHT, ink: INK, faint: 'var(--faint)' },
            ground: 'var(--page)',
            colourOf: (name) => colours.get(name) ?? INK,
          }),
        ),
      },
    ],
    values: {
      title: [title],
      columns: ['name', 'size', 'KLD', '95 % from', 'to', 'tokens/s', 'smaller and closer'].map((label) => ({
        label,
        csv: [label],
      })),
      rows: drawn.map((point) => {
        const better = drawn.find((other) => isDominated(point, [other]))
        const kld = (value: number | undefined) => cell((nats) => nats.toPrecision(2), value)
        return [
          ...[
            nameCell(point.name),
            cell(megabytes, point.bytes),
            kld(point.kld),
            kld(point.low),
            kld(point.high),
          ],
          cell((speed) => speed.toFixed(0), point.speed),
          better ? nameCell(better.name) : { text: '-' },
        ]
      }),
    },
  }
}
