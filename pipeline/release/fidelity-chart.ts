// SPDX-License-Identifier: Apache-2.0

import { drawable, type FidelityPoint, fidelityPlot, isDominated } from '../../eval/report/fidelity-plot.ts'
import { isolated, shortened } from '../../eval/report/label.ts'
import { formatBytes } from '../shared/output-files.ts'
import { nats } from './fidelity-table.ts'
import { LIGHT, standAlone, WIDTH } from './stand-alone.ts'

const HEIGHT = 420
const NAME_COLUMNS = 28

/**
 * Size of each variant and trial against its divergence from FP32, as an SVG file that stands by itself.
 * @returns undefined without figures
 */
export function fidelityChart(points: readonly FidelityPoint[]): string | undefined {
  const drawn = drawable(points)
  if (drawn.length === 0) return undefined
  const named = drawn.map((point) => ({ ...point, name: shortened(isolated(point.name), NAME_COLUMNS) }))
  const plot = fidelityPlot(named, {
    ...{ width: WIDTH, height: HEIGHT, ink: LIGHT.ink, faint: LIGHT.faint },
    ground: LIGHT.ground,
    colourOf: () => LIGHT.mark,
  })
  // the title of a mark is for pages, which say what it stands for
  return standAlone(plot, {
    title: 'Size against divergence from FP32',
    text: drawn.map((point) => sentenceOf(point, drawn)).join(' '),
  }).replace(/<title>\d+<\/title>/g, '')
}

function sentenceOf(point: FidelityPoint, all: readonly FidelityPoint[]): string {
  const { name, bytes, kld, low, high, speed, isTrial } = point
  const facts = [
    ...[formatBytes(bytes), `KLD ${nats(kld)} nats`],
    ...(low === undefined || high === undefined ? [] : [`95 % from ${nats(low)} to ${nats(high)}`]),
    ...(speed === undefined ? [] : [`${speed.toFixed(0)} tokens/s`]),
    ...(isDominated(point, all) ? ['another one is smaller and closer'] : []),
  ]
  return `${isolated(name)}${isTrial ? ' (trial)' : ''}: ${facts.join(', ')}.`
}
