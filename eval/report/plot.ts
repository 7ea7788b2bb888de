import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { columnsOf } from './label.ts'

/** Of every chart, in units of which a narrow telephone shows nearly one for a pixel. */
export const WIDTH = 400
const FONT_SIZE = 13
const COLUMN_WIDTH = 7.2
const LINE = 15
/** Where a label may go, in pixels below its point. */
const SHIFTS = [0, 8, -8, 15, -15, 22, -22]
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
 * @param alt what a reader who does not see it hears
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
}

/**
 * Labels beside their points: on the side where there is room, and moved where they would cover a point or each other.
 * One for which there is no place nearby is left out.
 * @param options of the plot that they are for, which decide where its points are
 */
export function pointLabels(labels: readonly PointLabel[], options: Plot.PlotOptions): Plot.Markish[] {
  const scales = Plot.plot({ width: WIDTH, ...options, document: emptyDocument() })
  const [x, y] = [scales.scale('x'), scales.scale('y')]
  if (!x || !y) return []
  const points = labels.map((label) => ({
    ...label,
    px: Number(x.apply(label.x)),
    py: Number(y.apply(label.y)),
  }))
  const taken = points.map(({ px, py }) => ({ left: px - 6, right: px + 6, middle: py }))
  return points.flatMap(({ px, py, text, ...point }) => {
    const width = columnsOf(text) * COLUMN_WIDTH
    const isLeft = px + 12 + width > WIDTH
    const box = isLeft ? { left: px - 10 - width, right: px - 8 } : { left: px + 8, right: px + 10 + width }
    const isFree = (middle: number) =>
      taken.every(
        ({ left, right, middle: other }) =>
          box.left > right || box.right < left || Math.abs(middle - other) >= LINE,
      )
    const dy = SHIFTS.find((shift) => isFree(py + shift))
    if (dy === undefined || box.left < 0) return []
    taken.push({ ...box, middle: py + dy })
    const place = { dx: isLeft ? -10 : 10, dy, textAnchor: isLeft ? 'end' : 'start' } as const
    return [Plot.text([point], { x: 'x', y: 'y', text: () => text, ...place, fill: 'currentColor' })]
  })
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
