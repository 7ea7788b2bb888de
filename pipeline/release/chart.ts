import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import { mainRows, type Report } from '../../eval/report/report.ts'
import { percent } from '../../eval/report/tables.ts'
import { formatBytes } from '../files.ts'

const WIDTH = 720
const ROW_HEIGHT = 34
/** Mid tones, that are read on white and on dark pages: a picture does not know which it is on. */
const INK = '#7d8590'
const BAR = '#4269d0'
const XMLNS = 'xmlns="http://www.w3.org/2000/svg"'

/**
 * WER of each variant on each dataset with its interval, as an SVG file that stands by itself.
 * @param archiveBytes by variant label
 * @returns undefined without figures
 */
export function werChart(
  reports: readonly Report[],
  archiveBytes: ReadonlyMap<string, number>,
): string | undefined {
  const rows = reports
    .flatMap((report) => mainRows(report))
    .filter(({ utterances }) => utterances > 0)
    .map(({ system, dataset, wer, werInterval, speed }) => ({
      ...{ system, dataset, wer: 100 * wer, low: 100 * werInterval.low, high: 100 * werInterval.high },
      label: [percent(wer), `RTF ${speed.rtf.toPrecision(2)}`, ...sizeOf(system, archiveBytes)].join(' · '),
    }))
  if (rows.length === 0) return undefined
  const domain = [...new Set(rows.map(({ system }) => system))]
  const datasets = new Set(rows.map(({ dataset }) => dataset)).size
  const place = { y: 'system', fy: 'dataset' }
  const { document } = parseHTML('<html><body></body></html>')
  const plot = Plot.plot({
    document: document as unknown as NonNullable<Plot.PlotOptions['document']>,
    width: WIDTH,
    height: 60 + datasets * (domain.length * ROW_HEIGHT + 12),
    marginLeft: 70,
    marginRight: 110,
    style: { color: INK, background: 'none', fontSize: '12px', fontFamily: 'system-ui, sans-serif' },
    x: { label: 'WER, % (bar: 95 % interval) →', grid: true, zero: true, insetRight: 210 },
    y: { domain, label: null },
    fy: { label: null },
    marks: [
      Plot.ruleY(rows, { ...place, x1: 'low', x2: 'high', stroke: BAR, strokeWidth: 4, strokeOpacity: 0.5 }),
      Plot.dot(rows, { ...place, x: 'wer', fill: BAR, r: 5 }),
      Plot.text(rows, { ...place, x: 'high', text: 'label', textAnchor: 'start', dx: 10, fill: INK }),
    ],
  })
  return `${plot.outerHTML.replace('<svg ', `<svg ${plot.outerHTML.includes('xmlns=') ? '' : XMLNS} `)}\n`
}

function sizeOf(system: string, archiveBytes: ReadonlyMap<string, number>): string[] {
  const bytes = archiveBytes.get(system)
  return bytes === undefined ? [] : [formatBytes(bytes)]
}
