// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import { LIGHT, standAlone, WIDTH } from '../pipeline/release/stand-alone.ts'
import { formatBytes } from '../pipeline/shared/output-files.ts'
import { CLIPS } from './peer-clips.ts'
import type { Figures } from './peer-figures.ts'

/** Of a side: its name, and its bars below it. */
const ROW_HEIGHT = 42
const TITLE_HEIGHT = 34
const MARGIN = 12

interface Bar {
  readonly name: string
  readonly quantity: string
  /** of the longest bar of its quantity */
  readonly share: number
  readonly label: string
  readonly isOurs: boolean
}

/** Seconds, memory and bytes of each side, as bars: one column for each quantity, whose longest bar fills it. An SVG file. */
export function peersChart(figures: readonly Figures[]): string {
  const bars = barsOf(figures)
  const quantities = [...new Set(bars.map(({ quantity }) => quantity))]
  const channels = { x: 'share', y: 'name', fx: 'quantity' } as const
  const bar = { ...channels, insetTop: 22, insetBottom: 4 }
  const names = bars.filter(({ quantity }) => quantity === quantities[0])
  return standAlone(
    {
      ...{ width: WIDTH, height: TITLE_HEIGHT + ROW_HEIGHT * figures.length + MARGIN },
      ...{ marginLeft: MARGIN, marginRight: MARGIN, marginTop: TITLE_HEIGHT, marginBottom: MARGIN },
      x: { axis: null, domain: [0, 1.7] }, // room for the figure behind the longest bar
      fx: { domain: quantities, label: null, padding: 0.06, axis: 'top' },
      y: { domain: figures.map(({ name }) => name), axis: null, padding: 0 },
      marks: [
        Plot.barX(
          bars.filter(({ isOurs }) => isOurs),
          { ...bar, fill: LIGHT.mark },
        ),
        Plot.barX(
          bars.filter(({ isOurs }) => !isOurs),
          { ...bar, fill: LIGHT.faint },
        ),
        Plot.text(bars, { ...channels, text: 'label', textAnchor: 'start', dx: 4, dy: 9, fill: LIGHT.ink }),
        Plot.text(names, { ...channels, x: 0, text: 'name', textAnchor: 'start', dy: -11, fontWeight: 600 }),
      ],
    },
    {
      title: 'Time, memory and size against other engines',
      text: bars.map(({ name, quantity, label }) => `${name}, ${quantity}: ${label}.`).join(' '),
    },
  )
}

function barsOf(figures: readonly Figures[]): Bar[] {
  const seconds = (value: number) => `${value.toFixed(2)} s`
  const columns: [
    quantity: string,
    of: (side: Figures) => number | undefined,
    text: (value: number) => string,
  ][] = [
    ...CLIPS.map((clip, i): [string, (side: Figures) => number | undefined, typeof seconds] => [
      `${clip.seconds} s of audio`,
      (side) => side.clips[i]?.seconds,
      seconds,
    ]),
    ['resident', ({ peak }) => peak, formatBytes],
    ['on disk', ({ bytes }) => bytes, formatBytes],
  ]
  return columns.flatMap(([quantity, of, text]) => {
    const values = figures.map((side) => of(side) ?? 0)
    const longest = Math.max(...values)
    return figures.map(({ name, isOurs }, i) => {
      const value = values[i] ?? 0
      return { name, isOurs, quantity, share: value / longest, label: text(value) }
    })
  })
}
