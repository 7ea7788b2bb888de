import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import type { Score } from '../score.ts'
import { totalErrors } from '../wer.ts'
import { mainRows, type Report } from './report.ts'
import { megabytes, percent } from './tables.ts'

/** A chart as SVG text; it takes the text colour around it, so that it can be read on light and dark pages. */
export interface Chart {
  readonly id: string
  readonly title: string
  readonly note: string
  readonly svg: string
}

const PARTS = ['mel', 'encoder', 'prefill', 'decode'] as const
const PART_COLOURS = ['#e7ba52', '#4269d0', '#3ca951', '#a463f2']
/** Upper ends of the ranges of clip length, in seconds. */
const LENGTHS = [2, 5, 10, 15, 20, 30, 60, 1200]
const WIDTH = 760
const SPEAKERS = 40

/** All charts for which there are figures. Observable Plot draws them, without a browser. */
export function drawCharts(report: Report): Chart[] {
  return [
    errorRates(report),
    realTimeFactors(report),
    againstSpeed(report),
    againstSize(report),
    latencies(report),
    byLength(report),
    bySpeaker(report),
  ].filter((chart) => chart !== undefined)
}

/** Colours stay with a system throughout the page. */
export function colourOf(report: Report, system: string): string {
  const palette = [
    '#4269d0',
    '#ff725c',
    '#3ca951',
    '#efb118',
    '#a463f2',
    '#6cc5b0',
    '#ff8ab7',
    '#9c6b4e',
    '#97bbf5',
    '#9498a0',
  ]
  const at = report.run.systems.findIndex(({ name }) => name === system)
  return palette[at % palette.length] ?? '#888888'
}

function errorRates(report: Report): Chart {
  const rows = knownRows(report).map((row) => ({
    ...{ system: row.system, dataset: row.dataset, wer: 100 * row.wer, colour: colourOf(report, row.system) },
    ...{ low: 100 * row.werInterval.low, high: 100 * row.werInterval.high },
    title: `${row.system} on ${row.dataset}: ${percent(row.wer)} (${percent(row.werInterval.low)} to ${percent(row.werInterval.high)})`,
  }))
  const common = { y: 'system', fy: 'dataset', stroke: 'colour', title: 'title' }
  const marks = [
    Plot.ruleY(rows, { ...common, x1: 'low', x2: 'high', strokeWidth: 3, strokeOpacity: 0.45 }),
    Plot.dot(rows, { ...common, x: 'wer', fill: 'colour', r: 5 }),
    Plot.text(rows, {
      y: 'system',
      fy: 'dataset',
      x: 'high',
      text: (row) => `${row.wer.toFixed(2)} %`,
      textAnchor: 'start',
      dx: 8,
      fill: 'currentColor',
    }),
  ]
  return {
    id: 'wer',
    title: 'Word error rate',
    note: 'The bar is the 95 % bootstrap interval.',
    svg: draw(
      {
        ...namesLeft(report),
        ...oneRowEach(report),
        x: { label: 'WER, % →', grid: true, zero: true, insetRight: 90 },
      },
      marks,
    ),
  }
}

function realTimeFactors(report: Report): Chart {
  const rows = timedRows(report).flatMap(({ system, dataset, speed }) => {
    const { timing, audioSeconds, rtf } = speed
    const bars = timing
      ? PARTS.map((part) => ({ part: part as string, rtf: timing[part] / audioSeconds }))
      : [{ part: 'command', rtf }]
    return bars.map((bar) => ({
      ...bar,
      system,
      dataset,
      title: `${system}, ${bar.part}: ${bar.rtf.toFixed(4)}`,
    }))
  })
  const parts = [...PARTS, 'command'].filter((part) => rows.some((row) => row.part === part))
  const color = { domain: parts, range: [...PART_COLOURS, '#9498a0'], legend: true }
  const marks = [
    Plot.barX(rows, {
      x: 'rtf',
      y: 'system',
      fy: 'dataset',
      fill: 'part',
      title: 'title',
      order: parts,
    }),
    Plot.ruleX([0]),
  ]
  return {
    id: 'rtf',
    title: 'Real-time factor, by part',
    note: 'Seconds of compute for each second of audio; shorter is faster.',
    svg: draw(
      { ...namesLeft(report), ...oneRowEach(report), color, x: { label: 'RTF →', grid: true } },
      marks,
    ),
  }
}

function againstSpeed(report: Report): Chart {
  const rows = timedRows(report).map((row) => ({ ...pointOf(report, row), x: row.speed.rtf }))
  return {
    id: 'wer-rtf',
    title: 'Accuracy against speed',
    note: 'Nearer to the lower left corner is better.',
    svg: scatter(report, rows, { label: 'RTF →', grid: true, zero: true }),
  }
}

function againstSize(report: Report): Chart | undefined {
  const sizes = new Map(
    report.systems.flatMap(({ name, bytes }) => (bytes === undefined ? [] : [[name, bytes] as const])),
  )
  const rows = knownRows(report).flatMap((row) => {
    const bytes = sizes.get(row.system)
    return bytes === undefined
      ? []
      : [
          {
            ...pointOf(report, row),
            x: bytes / 1e6,
            title: `${row.system}: ${megabytes(bytes)}, ${percent(row.wer)}`,
          },
        ]
  })
  if (rows.length === 0) return undefined
  return {
    id: 'wer-size',
    title: 'Accuracy against package size',
    note: 'Files of the variant, uncompressed.',
    svg: scatter(report, rows, { label: 'MB →', grid: true, zero: true }),
  }
}

/** Rows that have an error rate, and of these those that have times: nothing may have been transcribed. */
function knownRows(report: Report) {
  return mainRows(report).filter(({ wer }) => Number.isFinite(wer))
}

function timedRows(report: Report) {
  return knownRows(report).filter(({ speed }) => Number.isFinite(speed.rtf))
}

function pointOf(report: Report, { system, dataset, wer, werInterval, speed }: Report['rows'][number]) {
  return {
    ...{ system, dataset, wer: 100 * wer, low: 100 * werInterval.low, high: 100 * werInterval.high },
    colour: colourOf(report, system),
    title: `${system} on ${dataset}: ${percent(wer)} at RTF ${speed.rtf.toFixed(4)}`,
  }
}

function scatter(
  report: Report,
  rows: readonly (ReturnType<typeof pointOf> & { readonly x: number })[],
  x: Plot.ScaleOptions,
): string {
  const common = { x: 'x', fx: 'dataset', stroke: 'colour', title: 'title' }
  return draw(
    {
      height: 280,
      ...oneColumnEach(report),
      x: { ...x, insetRight: 80 },
      y: { label: '↑ WER, %', grid: true, zero: true },
    },
    [
      Plot.ruleX(rows, { ...common, y1: 'low', y2: 'high', strokeOpacity: 0.4, strokeWidth: 2 }),
      Plot.dot(rows, { ...common, y: 'wer', fill: 'colour', r: 5 }),
      Plot.text(rows, {
        x: 'x',
        fx: 'dataset',
        y: 'wer',
        text: 'system',
        textAnchor: 'start',
        dx: 9,
        fill: 'currentColor',
      }),
    ],
  )
}

function latencies(report: Report): Chart {
  const rows = allScores(report).flatMap(({ system, dataset, score: { record } }) =>
    record.problem === undefined
      ? [
          {
            dataset,
            seconds: record.seconds,
            compute: record.compute,
            colour: colourOf(report, system),
            title: `${record.id}, ${system}: ${record.compute.toFixed(2)} s`,
          },
        ]
      : [],
  )
  return {
    id: 'latency',
    title: 'Latency against clip length',
    note: 'Each dot is an utterance.',
    svg: draw(
      {
        height: 300,
        ...oneColumnEach(report),
        x: { label: 'clip, s →', grid: true },
        y: { label: '↑ compute, s', grid: true, zero: true },
      },
      [
        Plot.dot(rows, {
          x: 'seconds',
          y: 'compute',
          fx: 'dataset',
          stroke: 'colour',
          r: 2.5,
          title: 'title',
        }),
      ],
    ),
  }
}

function byLength(report: Report): Chart {
  const rows = grouped(report, ({ record: { seconds, problem } }) =>
    problem === undefined ? LENGTHS.findIndex((end) => seconds <= end) : -1,
  ).filter(({ group }) => group >= 0)
  const labels = LENGTHS.map((end, i) =>
    end === LENGTHS.at(-1) ? `> ${LENGTHS.at(-2)}` : `${LENGTHS[i - 1] ?? 0}–${end}`,
  )
  const named = rows.map((row) => ({ ...row, length: labels[row.group] ?? '' }))
  const common = { x: 'length', y: 'wer', fx: 'dataset', stroke: 'colour' }
  return {
    id: 'by-length',
    title: 'Error by clip length',
    note: 'Utterances grouped by seconds.',
    svg: draw(
      {
        height: 280,
        ...oneColumnEach(report),
        x: {
          type: 'point',
          domain: labels.filter((label) => named.some(({ length }) => length === label)),
          label: 'seconds →',
        },
        y: { label: '↑ WER, %', grid: true, zero: true },
      },
      [
        Plot.line(named, { ...common, z: 'system', sort: 'group' }),
        Plot.dot(named, { ...common, fill: 'colour', title: 'title' }),
      ],
    ),
  }
}

function bySpeaker(report: Report): Chart | undefined {
  const rows = grouped(report, ({ record }) => record.speaker ?? '').filter(({ group }) => group !== '')
  const speakers = [...new Set(rows.map(({ group }) => group))]
  if (speakers.length < 2) return undefined
  const worst = (speaker: string) =>
    Math.max(...rows.filter(({ group }) => group === speaker).map(({ wer }) => wer))
  const shown = speakers.sort((a, b) => worst(b) - worst(a) || (a < b ? -1 : 1)).slice(0, SPEAKERS)
  const left = speakers.length - shown.length
  return {
    id: 'by-speaker',
    title: 'Error by speaker',
    note:
      left > 0 ? `The ${SPEAKERS} speakers with the highest rates, of ${speakers.length}.` : 'Highest first.',
    svg: draw(
      {
        height: 60 + 18 * shown.length,
        marginLeft: marginFor(shown),
        y: { domain: shown, label: null, grid: true },
        x: { label: 'WER, % →', grid: true, zero: true },
      },
      [
        Plot.dot(
          rows.filter(({ group }) => shown.includes(group)),
          { x: 'wer', y: 'group', stroke: 'colour', fill: 'colour', fillOpacity: 0.5, title: 'title' },
        ),
      ],
    ),
  }
}

/** Corpus rates of groups of utterances. */
function grouped<T extends string | number>(report: Report, groupOf: (score: Score) => T) {
  const groups = new Map<
    string,
    { system: string; dataset: string; group: T; errors: number; words: number; count: number }
  >()
  for (const { system, dataset, score } of allScores(report)) {
    const group = groupOf(score)
    const key = JSON.stringify([system, dataset, group])
    const sum = groups.get(key) ?? { system, dataset, group, errors: 0, words: 0, count: 0 }
    sum.errors += totalErrors(score.errors)
    sum.words += score.errors.words
    sum.count++
    groups.set(key, sum)
  }
  return [...groups.values()]
    .filter(({ words }) => words > 0)
    .map((sum) => ({
      ...{ system: sum.system, dataset: sum.dataset, group: sum.group, wer: (100 * sum.errors) / sum.words },
      colour: colourOf(report, sum.system),
      title: `${sum.system}, ${sum.group}: ${sum.errors} errors in ${sum.words} words of ${sum.count} utterances`,
    }))
}

function allScores(report: Report) {
  return [...report.scores].flatMap(([dataset, systems]) =>
    [...systems].flatMap(([system, scores]) => scores.map((score) => ({ dataset, system, score }))),
  )
}

function namesLeft({ run }: Report): Plot.PlotOptions {
  const names = run.systems.map(({ name }) => name)
  return { marginLeft: marginFor(names), y: { domain: names, label: null } }
}

function oneRowEach({ run }: Report): Plot.PlotOptions {
  const names = run.datasets.map(({ name }) => name)
  const height = 70 + names.length * (20 + 30 * run.systems.length)
  return { height, fy: { domain: names, label: null }, marginRight: marginFor(names) }
}

function oneColumnEach({ run }: Report): Plot.PlotOptions {
  return { marginLeft: 50, fx: { domain: run.datasets.map(({ name }) => name), label: null } }
}

/** Room for labels, in pixels. */
function marginFor(labels: readonly string[]): number {
  return Math.min(260, 30 + 6.5 * Math.max(0, ...labels.map((label) => label.length)))
}

function draw(options: Plot.PlotOptions, marks: Plot.Markish[]): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const style = { background: 'none', fontSize: '12px' }
  const drawn = Plot.plot({
    width: WIDTH,
    style,
    ...options,
    document: document as unknown as NonNullable<Plot.PlotOptions['document']>,
    marks,
  })
  return drawn.outerHTML
}
