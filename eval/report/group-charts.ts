// SPDX-License-Identifier: Apache-2.0

import * as Plot from '@observablehq/plot'
import type { Score } from '../score.ts'
import { totalErrors } from '../wer.ts'
import { allScores, type Chart, chartSystems, panelsOf, upTo } from './chart-rows.ts'
import { cell, type FigureTable, nameCell } from './figure-table.ts'
import { columnsOf, distinctLabels, isolated } from './label.ts'
import { percent } from './number-text.ts'
import { drawPlot } from './plot.ts'
import type { Report } from './report.ts'

/** Upper ends of the ranges of clip length, in seconds. */
const LENGTHS = [2, 5, 10, 15, 20, 30, 60, Number.POSITIVE_INFINITY]
const SPEAKERS = 40
const SPEAKER_COLUMNS = 18

/** Chart of WER by length of the utterances. @returns undefined where there is nothing to draw */
export function byLength(report: Report): Chart | undefined {
  const rows = grouped(report, ({ record: { seconds, problem } }) =>
    problem === undefined ? LENGTHS.findIndex((end) => seconds <= end) : -1,
  ).filter(({ group }) => group >= 0)
  if (rows.length === 0) return undefined
  const labels = LENGTHS.map((end, i) =>
    end === Number.POSITIVE_INFINITY ? `> ${LENGTHS[i - 1]}` : `${LENGTHS[i - 1] ?? 0}–${end}`,
  )
  const named = rows.map((row, index) => ({ ...row, index, length: labels[row.group] ?? '' }))
  return {
    id: 'by-length',
    title: 'Error by clip length',
    note: 'Utterances grouped by their length in seconds.',
    panels: panelsOf(report, named, (own, dataset) => {
      const channels = { x: 'length', y: 'percent', stroke: 'colour' }
      return drawPlot(`Word error rate by clip length on ${isolated(dataset)}`, {
        ...{ height: 300, marginLeft: 44, marginBottom: 44, marginRight: 16, marginTop: 28 },
        x: {
          ...{ type: 'point', label: 'clip, s', labelArrow: 'none', padding: 0.3 },
          domain: labels.filter((label) => named.some(({ length }) => length === label)),
        },
        y: { ...rateScale(named), label: 'WER, %' },
        marks: [
          Plot.line(own, { ...channels, z: 'system', sort: 'group' }),
          Plot.dot(own, { ...channels, fill: 'colour', symbol: 'symbol', r: 4, title: 'index' }),
        ],
      })
    }),
    values: valuesTable(
      'Error by clip length',
      'clip, s',
      named.map((row) => ({ ...row, label: row.length, isName: false })),
    ),
  }
}

/**
 * Chart of WER by speaker, of the speakers with the highest rates.
 * @returns undefined with fewer than two speakers
 */
export function bySpeaker(report: Report): Chart | undefined {
  const rows = grouped(report, ({ record }) => record.speaker ?? '').filter(({ group }) => group !== '')
  const speakers = [...new Set(rows.map(({ group }) => group))]
  if (speakers.length < 2) return undefined
  const worst = new Map<string, number>()
  for (const { group, wer } of rows) worst.set(group, Math.max(wer, worst.get(group) ?? 0))
  const worstOf = (speaker: string) => worst.get(speaker) ?? 0
  const shown = speakers.sort((a, b) => worstOf(b) - worstOf(a) || (a < b ? -1 : 1)).slice(0, SPEAKERS)
  const drawn = rows
    .filter(({ group }) => shown.includes(group))
    .map((row, index) => ({ ...row, index, label: row.group, isName: true }))
  const labels = distinctLabels(shown, SPEAKER_COLUMNS)
  return {
    id: 'by-speaker',
    title: 'Error by speaker',
    note:
      speakers.length > shown.length
        ? `The ${SPEAKERS} speakers with the highest rates, of ${speakers.length}.`
        : 'Highest first.',
    panels: panelsOf(report, drawn, (own, dataset) => {
      const domain = shown.filter((speaker) => own.some(({ group }) => group === speaker))
      const columns = Math.max(...[...labels.values()].map(columnsOf))
      return drawPlot(`Word error rate of ${domain.length} speakers on ${isolated(dataset)}`, {
        ...{ height: 44 + 18 * domain.length, marginLeft: 20 + 7.5 * columns, marginRight: 16 },
        ...{ marginTop: 4, marginBottom: 40 },
        y: {
          domain,
          label: null,
          grid: true,
          tickSize: 0,
          tickFormat: (name: string) => labels.get(name) ?? '',
        },
        x: { ...rateScale(drawn), label: 'WER, %' },
        marks: [
          Plot.dot(own, {
            ...{ x: 'percent', y: 'group', stroke: 'colour', fill: 'colour', fillOpacity: 0.5 },
            ...{ symbol: 'symbol', title: 'index' },
          }),
        ],
      })
    }),
    values: valuesTable('Error by speaker', 'speaker', drawn),
  }
}

function rateScale(rows: readonly { readonly percent: number }[]): Plot.ScaleOptions {
  return { grid: true, ticks: 5, labelArrow: 'none', domain: upTo(rows.map(({ percent: rate }) => rate)) }
}

type Group = ReturnType<typeof grouped>[number] & { readonly label: string; readonly isName: boolean }

function valuesTable(title: string, what: string, rows: readonly Group[]): FigureTable {
  return {
    title: [title],
    columns: ['dataset', 'system', what, 'WER', 'errors', 'words', 'utterances'].map((label) => ({
      label,
      csv: [label],
    })),
    rows: rows.map(({ dataset, system, label, isName, wer, errors, words, count }) => [
      ...[nameCell(dataset), nameCell(system), { text: label, isName }, cell(percent, wer)],
      ...[errors, words, count].map((value) => cell(String, value)),
    ]),
  }
}

/** Corpus rates of groups of utterances. */
function grouped<T extends string | number>(report: Report, groupOf: (score: Score) => T) {
  const systems = chartSystems(report)
  const groups = new Map<string, { dataset: string; system: string; group: T } & Sums>()
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
    .map((sum) => {
      const wer = sum.errors / sum.words
      const { colour, symbol } = systems.get(sum.system) ?? {}
      return { ...sum, wer, percent: 100 * wer, colour, symbol }
    })
}

interface Sums {
  errors: number
  words: number
  count: number
}
