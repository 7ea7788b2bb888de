// SPDX-License-Identifier: Apache-2.0

import { csvText } from '../csv.ts'
import type { Percentiles, Row } from '../summary.ts'
import type { TimeComparison } from '../time-comparison.ts'
import {
  type Cell,
  type Column,
  cell,
  column,
  type FigureTable,
  nameCell,
  withoutUnknown,
} from './figure-table.ts'
import { hotwordColumns, hotwordTables } from './hotword-table.ts'
import { megabytes, percent } from './number-text.ts'
import { mainDifferences, mainRows, mainTimeComparisons, type Report, type SystemFigures } from './report.ts'
import { plainText, sentence } from './sentence.ts'
import { comparisonColumns, comparisonTables, timeColumns, timeTable } from './time-table.ts'

/** results.csv: a line for each dataset, system and normalizer, every figure in base units. */
export function resultsCsv(report: Report): string {
  return csvText(report.rows.map((row) => csvRow(row, systemOf(report, row), report)))
}

function csvRow(row: Row, system: SystemFigures | undefined, report: Report) {
  const { errors, speed, failures } = row
  const share = (seconds: number | undefined) =>
    number(seconds === undefined ? undefined : seconds / speed.audioSeconds)
  const machines = report.machines.map(({ machine }) => machine)
  const heard = (count: number) => (system?.kind === 'aligner' ? '' : count)
  const said = (of: (machine: (typeof machines)[number]) => string | number) =>
    [...new Set(machines.map(of))].join('; ')
  return {
    ...{ dataset: row.dataset, system: row.system, normalizer: row.normalizer, utterances: row.utterances },
    ...{ wer: number(row.wer), wer_low: number(row.werInterval.low), wer_high: number(row.werInterval.high) },
    ...{ words: heard(errors.words), hits: heard(errors.hits), substitutions: heard(errors.substitutions) },
    ...{ deletions: heard(errors.deletions), insertions: heard(errors.insertions) },
    ...{ cer: number(row.cer), cer_low: number(row.cerInterval.low), cer_high: number(row.cerInterval.high) },
    ...{ characters: heard(row.characters), problems: failures.problems, empty: heard(failures.empty) },
    ...{ says_none: heard(failures.saysNone), without_marker: heard(failures.withoutMarker) },
    ...{ loops_stopped: heard(failures.loops), token_limit: heard(failures.limited) },
    ...{ audio_seconds: number(speed.audioSeconds), compute_seconds: number(speed.compute) },
    ...{ rtf: number(speed.rtf), rtfx: number(speed.rtfx), rtf_mel: share(speed.timing?.mel) },
    ...{ rtf_encoder: share(speed.timing?.encoder), rtf_prefill: share(speed.timing?.prefill) },
    ...{ rtf_decode: share(speed.timing?.decode), tokens: heard(speed.tokens) },
    tokens_per_second: number(speed.timing && speed.tokensPerSecond),
    ...percentileColumns('first_token', speed.firstToken),
    ...percentileColumns('latency', speed.latency),
    ...{ load_seconds: number(system?.loadSeconds), peak_memory_bytes: system?.peakMemory ?? '' },
    ...{ package_bytes: system?.bytes ?? '', threads: said(({ threads }) => threads) },
    ...{ workers: said(({ workers }) => workers), cpu: said(({ cpu }) => cpu) },
    ...{ cpu_features: said(({ features }) => features.join(' ')), node: said(({ node }) => node) },
    onnxruntime: said(({ onnxruntime }) => onnxruntime),
    execution_provider: providerOfSystem(system) ?? said(({ executionProvider }) => executionProvider),
    ...timeColumns(row.times, number),
    ...comparisonColumns(report.timeComparisons.find(isOf(row)), number),
    ...hotwordColumns(row, number),
  }
}

/** What computed; not known of engines. */
function providerOfSystem(system: SystemFigures | undefined): string | undefined {
  return typeof system?.settings['provider'] === 'string' ? system.settings['provider'] : undefined
}

/** The first one: report.json has those with all aligners. */
function isOf({ dataset, normalizer, system }: Row) {
  return (other: TimeComparison) =>
    other.dataset === dataset && other.normalizer === normalizer && other.system === system
}

function percentileColumns(name: string, values: Percentiles | undefined) {
  return {
    [`${name}_p50`]: number(values?.p50),
    [`${name}_p90`]: number(values?.p90),
    [`${name}_p99`]: number(values?.p99),
  }
}

/** Six significant digits; empty for what is not known. */
function number(value: number | undefined): string {
  return value === undefined || !Number.isFinite(value) ? '' : String(Number(value.toPrecision(6)))
}

/** A table for terminals. */
export interface TextTable {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

const ACCURACY: readonly Column[] = [
  ...[column('system'), column('WER'), column('95 % interval', ['WER low', 'WER high']), column('words')],
  column('sub', ['substitutions']),
  column('del', ['deletions']),
  column('ins', ['insertions']),
  column('CER'),
]
const SPEED: readonly Column[] = [
  ...[column('system'), column('RTF'), column('RTFx')],
  ...['mel', 'encoder', 'prefill', 'decode'].map((part) => column(part, [`RTF ${part}`])),
  ...[
    column('tokens/s'),
    column('first token', ['first token p50, s']),
    column('latency p50', ['latency p50, s']),
  ],
  ...['p90', 'p99'].map((part) => column(part, [`latency ${part}, s`])),
  ...[column('load', ['load, s']), column('memory', ['memory, bytes']), column('size', ['size, bytes'])],
]

/** One table of accuracy and one of speed for each dataset, and those of the times of words and of hotwords where there are any. Aligners have no accuracy. */
export function figureTables(report: Report): FigureTable[] {
  return report.run.datasets.flatMap(({ name, count, of, normalizer }) => {
    const rows = mainRows(report).filter(({ dataset, utterances }) => dataset === name && utterances > 0)
    const chosen = count === of ? `all ${of}` : `${count} of ${of}`
    const heard = rows.filter((row) => systemOf(report, row)?.kind !== 'aligner')
    const accuracy = {
      title: sentence`WER on ${{ name }} (${chosen} utterances, normalizer ${normalizer})`,
      columns: ACCURACY,
      rows: heard.map(accuracyCells),
    }
    const speed = {
      title: sentence`Speed on ${{ name }}`,
      columns: SPEED,
      rows: rows.map((row) => speedCells(row, systemOf(report, row))),
    }
    return [
      ...(heard.length > 0 || rows.length === 0 ? [accuracy, speed] : [withoutUnknown(speed)]),
      ...timeTable(name, rows),
      ...comparisonTables(
        name,
        mainTimeComparisons(report).filter(({ dataset }) => dataset === name),
      ),
      ...hotwordTables(name, rows, differencesOf(report, name)),
    ]
  })
}

/** All tables of a report as plain text, for a terminal. */
export function textTables(report: Report): TextTable[] {
  return figureTables(report).map(({ title, columns, rows }) => ({
    title: plainText(title),
    columns: columns.map(({ label }) => label),
    rows: rows.map((row) => row.map(({ text }) => text)),
  }))
}

function accuracyCells({ system, wer, werInterval, errors, cer }: Row): Cell[] {
  const { low, high } = werInterval
  const counts = [errors.words, errors.substitutions, errors.deletions, errors.insertions]
  return [
    ...[nameCell(system), cell(percent, wer), cell(() => `${percent(low)} to ${percent(high)}`, low, high)],
    ...counts.map((count) => cell(String, count)),
    cell(percent, cer),
  ]
}

function speedCells({ system, speed }: Row, figures: SystemFigures | undefined): Cell[] {
  const { timing, audioSeconds, latency } = speed
  const share = (seconds: number | undefined) =>
    cell((value) => value.toFixed(4), seconds && seconds / audioSeconds)
  const time = (seconds: number | undefined) => cell((value) => `${value.toFixed(2)} s`, seconds)
  return [
    nameCell(system),
    cell((rtf) => rtf.toFixed(4), speed.rtf),
    cell((rtfx) => rtfx.toPrecision(3), speed.rtfx),
    ...[timing?.mel, timing?.encoder, timing?.prefill, timing?.decode].map(share),
    cell((rate) => rate.toFixed(0), timing && speed.tokensPerSecond),
    ...[speed.firstToken?.p50, latency.p50, latency.p90, latency.p99, figures?.loadSeconds].map(time),
    ...[figures?.peakMemory, figures?.bytes].map((bytes) => cell(megabytes, bytes)),
  ]
}

function differencesOf(report: Report, name: string) {
  return mainDifferences(report).filter(({ dataset }) => dataset === name)
}

function systemOf({ systems }: Report, { system }: Row): SystemFigures | undefined {
  return systems.find(({ name }) => name === system)
}
