// SPDX-License-Identifier: Apache-2.0

import type { FigureTable } from './figure-table.ts'
import { distinctLabels } from './label.ts'
import { type SystemMark, systemMark } from './plot.ts'
import { mainRows, type Report } from './report.ts'

/** A chart, drawn once for each dataset, with the same scales for all. */
export interface Chart {
  readonly id: string
  readonly title: string
  readonly note: string
  readonly panels: readonly Panel[]
  /** what colours mean that are not those of systems */
  readonly key?: readonly { readonly label: string; readonly colour: string }[]
  /** what its marks stand for, a row for each value; undefined when these are the utterances */
  readonly values?: FigureTable
}

/** One drawing of a chart, of one dataset. */
export interface Panel {
  /** undefined: of the speech that variants were validated on */
  readonly dataset?: string
  readonly svg: string
}

/** Columns of a system's name in a chart. */
const NAME_COLUMNS = 40

/** A system with its mark: the full name, and the label that is short enough for a chart. */
export interface ChartSystem extends SystemMark {
  readonly name: string
  readonly label: string
}

/** Systems as charts show them, by name. */
export function chartSystems({ run }: Report, columns = NAME_COLUMNS): ReadonlyMap<string, ChartSystem> {
  const names = run.systems.map(({ name }) => name)
  const labels = distinctLabels(names, columns)
  return new Map(names.map((name, i) => [name, { name, label: labels.get(name) ?? '', ...systemMark(i) }]))
}

/** Rows that have an error rate: nothing may have been transcribed, and aligners have none. */
export function knownRows(report: Report) {
  return mainRows(report).filter(({ wer }) => Number.isFinite(wer))
}

/** Rows that have times. */
export function timedRows(report: Report) {
  return mainRows(report).filter(({ speed }) => Number.isFinite(speed.rtf))
}

/** The scores of all utterances, each with its dataset and system. */
export function allScores(report: Report) {
  return [...report.scores].flatMap(([dataset, systems]) =>
    [...systems].flatMap(([system, scores]) => scores.map((score) => ({ dataset, system, score }))),
  )
}

/** What is drawn for each dataset that has something. */
export function panelsOf<T extends { readonly dataset: string }>(
  { run }: Report,
  rows: readonly T[],
  draw: (rows: readonly T[], dataset: string) => string,
): Panel[] {
  return run.datasets.flatMap(({ name }) => {
    const own = rows.filter(({ dataset }) => dataset === name)
    return own.length === 0 ? [] : [{ dataset: name, svg: draw(own, name) }]
  })
}

/** From 0 to the highest, so that all panels have one scale. What is not finite is not drawn. */
export function upTo(values: readonly number[]): [number, number] {
  const highest = values.filter(Number.isFinite).reduce((most, value) => Math.max(most, value), 0)
  return [0, highest > 0 ? highest : 1]
}
