// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import { legendMarks, radiusOf } from './fidelity-legend.ts'
import { decades, powerOfTen, roundSizes } from './log-axes.ts'
import { pointLabels } from './plot.ts'

/** A variant, or a trial of a recipe, with its size and its divergence from FP32. */
export interface FidelityPoint {
  readonly name: string
  /** files that a reader loads */
  readonly bytes: number
  /** mean divergence of the next token's distribution from FP32's, in nats, with its 95 % interval where there is one */
  readonly kld: number
  readonly low?: number
  readonly high?: number
  /** tokens per second */
  readonly speed?: number
  readonly isTrial: boolean
}

/** How it is drawn: a page has colours of its own, a file brings them. */
export interface FidelityStyle {
  readonly width: number
  readonly height: number
  readonly ink: string
  /** of what another one beats in both */
  readonly faint: string
  /** behind the chart */
  readonly ground: string
  colourOf(name: string): string
}

/** Below, the rounding of float32 decides: all of it is drawn at this height. */
export const FLOOR = 1e-6
const MARGINS = { marginLeft: 58, marginRight: 22, marginTop: 30 } as const
const AXIS = 44
const BELOW = 6

/** Whether another one has fewer bytes and a smaller divergence. */
export function isDominated({ bytes, kld }: FidelityPoint, all: readonly FidelityPoint[]): boolean {
  return all.some((other) => other.bytes < bytes && other.kld < kld)
}

/** Points as they can be drawn. */
export function drawable(points: readonly FidelityPoint[]): FidelityPoint[] {
  return points.filter(
    ({ bytes, kld }) => bytes > 0 && Number.isFinite(bytes) && Number.isFinite(kld) && kld >= 0,
  )
}

/**
 * Size against divergence, both on logarithmic axes, as options for Plot. Marks carry their place in `points` as title. The
 * area of a dot is the speed, hollow dots are trials, and the line joins what no other one beats.
 * @param points as {@link drawable} gives them, at least one
 */
export function fidelityPlot(points: readonly FidelityPoint[], style: FidelityStyle): Plot.PlotOptions {
  const fastest = Math.max(0, ...points.map(({ speed = 0 }) => speed))
  const spots = points.map((point, index) => spotOf(point, index, points, fastest, style))
  const corner = { left: 6 - MARGINS.marginLeft, below: AXIS }
  const legend = legendMarks(spots, { fastest, ink: style.ink, faint: style.faint, ...corner })
  const options: Plot.PlotOptions = {
    ...{ width: style.width, height: style.height, ...MARGINS },
    marginBottom: AXIS + legend.height + BELOW,
    r: { type: 'identity' },
    x: {
      ...{ type: 'log', label: null, grid: true, tickFormat: String },
      ...roundSizes(spots.map(({ x }) => x)),
    },
    y: {
      ...{ type: 'log', label: 'KLD from FP32, nats', labelArrow: 'none', grid: true },
      ...decades(spots.flatMap(({ y, low, high }) => [y, low, high])),
      tickFormat: (value: number) => `${value <= FLOOR ? '≤ ' : ''}${powerOfTen(value)}`,
    },
  }
  const marks = [...frontMarks(spots, style), ...dotMarks(spots, style)]
  const byImportance = [...spots].sort(
    (a, b) => Number(a.isTrial) - Number(b.isTrial) || Number(a.isBeaten) - Number(b.isBeaten),
  )
  const labels = pointLabels(
    byImportance.map(({ x, y: at, name, r, low, high }) => ({
      ...{ x, y: at, text: name, radius: r, low, high },
    })),
    { ...options, marks },
    { halo: style.ground, isCrowded: true },
  )
  return { ...options, marks: [...marks, ...labels, axisLabel(), ...legend.marks] }
}

interface Spot {
  readonly colour: string
  readonly name: string
  readonly index: number
  readonly isTrial: boolean
  readonly isBeaten: boolean
  /** MB */
  readonly x: number
  readonly y: number
  readonly low: number
  readonly high: number
  /** pixels */
  readonly r: number
  readonly hasSpeed: boolean
}

function spotOf(
  point: FidelityPoint,
  index: number,
  all: readonly FidelityPoint[],
  fastest: number,
  style: FidelityStyle,
): Spot {
  const { name, bytes, kld, low = kld, high = kld, speed, isTrial } = point
  const isBeaten = isDominated(point, all)
  const colour = style.colourOf(name)
  return {
    ...{ name, index, isTrial, isBeaten, colour: isBeaten ? style.faint : colour },
    ...{ x: bytes / 1e6, y: raised(kld), low: raised(low), high: raised(high) },
    ...{ r: radiusOf(speed, fastest), hasSpeed: speed !== undefined },
  }
}

function raised(kld: number): number {
  return Math.max(FLOOR, kld)
}

/** From each that no other one beats to the next larger. */
function frontMarks(spots: readonly Spot[], { faint }: FidelityStyle): Plot.Markish[] {
  const front = spots.filter(({ isBeaten }) => !isBeaten).sort((a, b) => a.x - b.x)
  const line = { x: 'x', y: 'y', stroke: faint, strokeWidth: 1.2, strokeDasharray: '4,4' }
  return front.length < 2 ? [] : [Plot.line(front, { ...line, curve: 'step-after', strokeOpacity: 0.8 })]
}

function dotMarks(spots: readonly Spot[], { ground }: FidelityStyle): Plot.Markish[] {
  const channels = { x: 'x', title: 'index' } as const
  const dot = { ...channels, y: 'y', r: 'r' } as const
  const of = (isTrial: boolean) => spots.filter((spot) => spot.isTrial === isTrial)
  return [
    Plot.ruleX(spots, {
      ...channels,
      stroke: 'colour',
      y1: 'low',
      y2: 'high',
      strokeOpacity: 0.45,
      strokeWidth: 3,
    }),
    Plot.dot(of(true), { ...dot, stroke: 'colour', strokeWidth: 1.8 }),
    Plot.dot(of(false), { ...dot, fill: 'colour', stroke: ground, strokeWidth: 1.2 }),
  ]
}

/** Below its numbers, where the legend leaves room. */
function axisLabel(): Plot.Markish {
  const place = { frameAnchor: 'bottom-right', textAnchor: 'end', lineAnchor: 'middle' } as const
  return Plot.text(['files, MB'], { ...place, dy: AXIS - 12, fill: 'currentColor' })
}
