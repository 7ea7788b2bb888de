// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import { columnsOf } from './label.ts'
import { COLUMN_WIDTH } from './plot.ts'

const LINE = 24
const GAP = 6
const LARGEST = 9
const SMALLEST = 4
/** Of dots whose speed is not known, where that of others is; and where none is. */
const UNKNOWN = 3
const ALIKE = 5

/** Of a dot, whose area is the speed, in pixels. */
export function radiusOf(speed: number | undefined, fastest: number): number {
  if (fastest <= 0) return ALIKE
  return speed === undefined ? UNKNOWN : Math.max(SMALLEST, LARGEST * Math.sqrt(speed / fastest))
}

/** Where the legend stands and how it is drawn: `ink` and `faint` are colours. */
export interface LegendOptions {
  /** of the fastest dot; 0 where no speed is known */
  readonly fastest: number
  readonly ink: string
  readonly faint: string
  /** pixels from the frame's lower left corner to the legend's upper left one */
  readonly left: number
  readonly below: number
}

/** Sizes of dots with their speeds, and what hollow and faint ones are: of these, what there is. */
export function legendMarks(
  spots: readonly { readonly isTrial: boolean; readonly isBeaten: boolean; readonly hasSpeed: boolean }[],
  { fastest, ink, faint, left, below }: LegendOptions,
): { readonly height: number; readonly marks: Plot.Markish[] } {
  const lines: (readonly Entry[])[] = []
  if (fastest > 0) {
    const round = Number(fastest.toPrecision(2))
    const quarter = Number((fastest / 4).toPrecision(2))
    const entry = (speed: number, text: string): Entry => ({
      ...{ text: `${speed.toLocaleString('en')}${text}`, r: radiusOf(speed, fastest) },
      ...{ colour: ink, isHollow: false },
    })
    const isPartly = spots.some(({ hasSpeed }) => !hasSpeed)
    lines.push([
      ...[entry(round, ''), entry(quarter, ' tokens/s')],
      ...(isPartly ? [{ text: 'speed not measured', r: UNKNOWN, colour: ink, isHollow: false }] : []),
    ])
  }
  const kinds: Entry[] = [
    ...(spots.some(({ isTrial }) => isTrial)
      ? [{ text: 'trial', r: ALIKE, colour: ink, isHollow: true }]
      : []),
    ...(spots.some(({ isBeaten }) => isBeaten)
      ? [{ text: 'another one is smaller and closer', r: ALIKE, colour: faint, isHollow: false }]
      : []),
  ]
  if (kinds.length > 0) lines.push(kinds)
  return {
    height: LINE * lines.length,
    marks: lines.flatMap((entries, i) => lineMarks(entries, left, below + LINE * (i + 0.5))),
  }
}

interface Entry {
  readonly text: string
  readonly r: number
  readonly colour: string
  readonly isHollow: boolean
}

function lineMarks(entries: readonly Entry[], left: number, dy: number): Plot.Markish[] {
  let next = left
  return entries.flatMap(({ text, r, colour, isHollow }) => {
    const [dx, afterDot] = [next + r, next + 2 * r + GAP]
    next = afterDot + COLUMN_WIDTH * columnsOf(text) + 2 * GAP
    const place = { frameAnchor: 'bottom-left', dy } as const
    const fill = isHollow ? 'none' : colour
    return [
      Plot.dot([0], { ...place, dx, r, stroke: colour, strokeWidth: 1.5, fill }),
      Plot.text([text], {
        ...{ ...place, dx: afterDot, textAnchor: 'start', lineAnchor: 'middle', fill: 'currentColor' },
      }),
    ]
  })
}
