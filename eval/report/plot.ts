// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { columnsOf } from './label.ts'

/** Of every chart, in units of which a narrow telephone shows nearly one for a pixel. */
export const WIDTH = 400
const FONT_SIZE = 13
/** Of a column of text, at most, in pixels. */
export const COLUMN_WIDTH = 7.2
const LINE = 15
/** Where a label may go, in pixels below its point. */
const SHIFTS = [0, 8, -8, 15, -15, 22, -22]
const FAR_SHIFTS = [30, -30, 38, -38, 46, -46, 54, -54, 62, -62]
const SYMBOLS = ['circle', 'square', 'triangle', 'diamond', 'star', 'cross', 'wye'] as const
const COLOURS = 10

/** What is drawn for a system everywhere: colours alone are not seen by all, and there are only so many. */
export interface SystemMark {
  readonly colour: string
  readonly symbol: (typeof SYMBOLS)[number]
}

/** Of the system at a place in the list; 70 differ. The colours are those of the page's style, light or dark. */
export function systemMark(at: number): SystemMark {
  return { colour: `var(--c${at % COLOURS})`, symbol: SYMBOLS[at % SYMBOLS.length] ?? 'circle' }
}

/** The mark by itself, for legends, as SVG. */
export function drawMark({ colour, symbol }: SystemMark): string {
  const marks = [Plot.dot([0], { frameAnchor: 'middle', symbol, fill: colour, r: 5 })]
  const svg = plotted({ width: 14, height: 14, margin: 0, marks })
  svg.setAttribute('class', 'mark')
  svg.setAttribute('aria-hidden', 'true')
  return svg.outerHTML
}

/**
 * A chart as SVG text that takes the text colour around it. The value of the channel `title`, a number, becomes
 * `data-value` of each mark: the page says what it stands for.
 * @param alt what a screen reader reads
 */
export function drawPlot(alt: string, options: Plot.PlotOptions): string {
  const svg = plotted({ width: WIDTH, ...options })
  svg.setAttribute('class', 'drawing')
  svg.setAttribute('role', 'img')
  svg.setAttribute('aria-label', alt)
  // The names that Plot gives to its groups are for groups with roles (WAI-ARIA 1.2, section 6.6), and these are parts of one picture.
  for (const group of svg.querySelectorAll('g[aria-label]')) group.removeAttribute('aria-label')
  for (const title of [...svg.querySelectorAll('title')]) {
    title.parentElement?.setAttribute('data-value', title.textContent ?? '')
    title.remove()
  }
  return svg.outerHTML
}

/** A label at a point of a plot. */
export interface PointLabel {
  readonly x: number
  readonly y: number
  readonly text: string
  /** of the point's mark, in pixels */
  readonly radius?: number
  /** ends of a vertical line through it, on the scale of y */
  readonly low?: number
  readonly high?: number
}

/** How the labels of points are drawn. */
export interface LabelOptions {
  /** colour around letters, where they may cross lines */
  readonly halo?: string
  /** further places: labels there are joined to their points by a line */
  readonly isCrowded?: boolean
}

/**
 * Labels beside their points: on the side where there is room, and moved where they would cover a point or each other.
 * One for which there is no place nearby is left out.
 * @param labels the most important first @param options of the plot that they are for, which decide where its points are
 */
export function pointLabels(
  labels: readonly PointLabel[],
  options: Plot.PlotOptions,
  { halo, isCrowded = false }: LabelOptions = {},
): Plot.Markish[] {
  const width = Number(options.width ?? WIDTH)
  const scales = Plot.plot({ ...options, width, document: emptyDocument() })
  const [x, y] = [scales.scale('x'), scales.scale('y')]
  if (!x || !y) return []
  const points = labels.map(({ radius = RADIUS, low, high, ...label }) => {
    const [px, py] = [Number(x.apply(label.x)), Number(y.apply(label.y))]
    const ends = [low, high].flatMap((end) => (end === undefined ? [] : [Number(y.apply(end))]))
    return { ...label, radius, px, py, ends: [...ends, py - radius, py + radius] }
  })
  const taken: Box[] = points.flatMap(({ px, py, radius, ends }) => [
    { left: px - radius - 1, right: px + radius + 1, top: py - radius + 1, bottom: py + radius - 1 },
    { left: px - 2, right: px + 2, top: Math.min(...ends), bottom: Math.max(...ends) },
  ])
  const [top = 0, bottom = 0] = [...(y.range ?? [])].map(Number).sort((a, b) => a - b)
  const frameLeft = Number(options.marginLeft ?? 0)
  const lines: Plot.Markish[] = []
  const texts = points.flatMap(({ px, py, text, radius, x: atX, y: atY }) => {
    const places = placesBeside({ px, py, radius }, columnsOf(text) * COLUMN_WIDTH, width, isCrowded)
    // below the frame are the numbers of the axis
    const isInside = ({ box }: (typeof places)[number]) =>
      isCrowded
        ? box.top >= top - LINE && box.bottom <= bottom && box.left > frameLeft
        : box.bottom <= bottom + LINE / 2
    const place = places.find((one) => isInside(one) && taken.every((other) => !overlap(one.box, other)))
    if (place === undefined) return []
    taken.push(place.box)
    const { dx, dy, textAnchor } = place
    const channels = { x: 'x', y: 'y', text: () => text, fill: 'currentColor' }
    const around = halo === undefined ? {} : { stroke: halo, strokeWidth: 3.5 }
    const label = Plot.text([{ x: atX, y: atY }], { ...channels, ...around, dx, dy, textAnchor })
    if (!FAR_SHIFTS.includes(dy)) return [label]
    const invert = (scale: Plot.Scale, at: number) => Number(scale.invert?.(at))
    const ends = [
      { x: atX, y: atY },
      { x: invert(x, px + dx - Math.sign(dx) * 2), y: invert(y, py + dy) },
    ]
    lines.push(Plot.line(ends, { x: 'x', y: 'y', stroke: 'currentColor', strokeWidth: 0.8 }))
    return [label]
  })
  return [...lines, ...texts]
}

/** Of a point whose mark is of the usual size. */
const RADIUS = 5

interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

function overlap(a: Box, b: Box): boolean {
  return a.left <= b.right && b.left <= a.right && a.top < b.bottom && b.top < a.bottom
}

/** Where a label may stand, the best first; none outside of the drawing. */
function placesBeside(
  { px, py, radius }: { readonly px: number; readonly py: number; readonly radius: number },
  textWidth: number,
  width: number,
  isCrowded: boolean,
) {
  const gap = radius + 5
  const sides = [
    { dx: gap, textAnchor: 'start', left: px + gap - 2, right: px + gap + textWidth },
    { dx: -gap, textAnchor: 'end', left: px - gap - textWidth, right: px - gap + 2 },
  ] as const
  const inside = sides.filter(({ left, right }) => left >= 0 && right + 2 <= width)
  return [SHIFTS, ...(isCrowded ? [FAR_SHIFTS] : [])].flatMap((shifts) =>
    inside.flatMap(({ left, right, ...side }) =>
      shifts.map((dy) => ({
        ...{ ...side, dy },
        box: { left, right, top: py + dy - LINE / 2, bottom: py + dy + LINE / 2 },
      })),
    ),
  )
}

function plotted(options: Plot.PlotOptions) {
  const style = { background: 'none', fontSize: `${FONT_SIZE}px` }
  return Plot.plot({ style, ...options, document: emptyDocument() }) as SVGSVGElement
}

type PlotDocument = NonNullable<Plot.PlotOptions['document']>
type SVGSVGElement = ReturnType<PlotDocument['createElementNS']>

function emptyDocument(): PlotDocument {
  return parseHTML('<!doctype html><html><body></body></html>').document as unknown as PlotDocument
}
