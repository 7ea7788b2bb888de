// SPDX-License-Identifier: Apache-2.0

import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import type { UtteranceRecord } from '../../eval/record.ts'
import { drawCharts } from '../../eval/report/charts.ts'
import { listUtterances } from '../../eval/report/listed.ts'
import { remarks } from '../../eval/report/remarks.ts'
import { resultsCsv, textTables } from '../../eval/report/tables.ts'
import { reportJson } from '../../pipeline/evaluate/write-report.ts'
import { exampleReport } from '../helpers/report-records.ts'

const TEXT = 'One, two.'
const spoken = (one: number, two: number) => [
  { text: 'One,', start: one, end: one + 0.2 },
  { text: 'two.', start: two, end: two + 0.2 },
]

/** What an aligner leaves of an utterance; the second one it could not align. */
const aligned = (row: number): Partial<UtteranceRecord> => ({
  ...{ text: '', pieces: [] },
  ...(row === 1
    ? { seconds: 0, compute: 0, problem: 'The aligner does not support Hindi.' }
    : {
        ...{ words: spoken(0.1, 0.5), timing: { mel: 0.01, encoder: 0.02, prefill: 0.03 }, compute: 0.06 },
        ...(row === 2 && { doubts: ['Most of it is out of order.'] }),
      }),
})

/** Those that are named `al` are aligners, and `mute` tells no times. */
const report = (systems = ['asr', 'al']) => {
  const isAligner = (system: number) => systems[system]?.startsWith('al') === true
  return exampleReport({
    ...{ systems, datasets: ['clips'], count: 3, texts: () => [TEXT, 'one two'] as const },
    kinds: systems.map((_, system) => (isAligner(system) ? 'aligner' : 'model')),
    settings: (system) => (isAligner(system) ? { layout: 'aligner', prefill: 'int8' } : {}),
    more(row, system) {
      if (isAligner(system)) return aligned(row)
      return systems[system] === 'mute' ? {} : { words: spoken(0.2, 0.5) }
    },
  })
}

describe('a forced aligner in a report', () => {
  it('has speed by part and no error rate, alone or beside a recognizer', () => {
    const [wer, speed] = textTables(report())
    expect(wer?.rows.map(([name]) => name)).toEqual(['asr'])
    expect(speed?.rows.map(([name]) => name)).toEqual(['asr', 'al'])
    const al = speed?.rows[1] ?? []
    const named = Object.fromEntries(speed?.columns.map((label, i) => [label, al[i]]) ?? [])
    expect(named).toMatchObject({ decode: '-', 'tokens/s': '-', 'first token': '-', 'latency p50': '0.06 s' })
    expect(Number(named['prefill']) / Number(named['mel'])).toBeCloseTo(3, 0)
    const [alone, ...others] = textTables(report(['al']))
    expect([alone?.title, others]).toEqual(['Speed on clips', []])
    const known = ['system', 'RTF', 'RTFx', 'mel', 'encoder', 'prefill', 'latency p50', 'p90', 'p99']
    expect(alone?.columns).toEqual([...known, 'load', 'memory', 'size'])
  })

  it('has no count of words in results.csv, where WER is empty', () => {
    const [, al] = parse(resultsCsv(report()), { columns: true }) as Record<string, string>[]
    const empty = ['wer', 'wer_low', 'cer', 'words', 'hits', 'deletions', 'characters', 'tokens', 'empty']
    expect(empty.map((name) => al?.[name])).toEqual(empty.map(() => ''))
    expect(al).toMatchObject({ system: 'al', utterances: '3', problems: '1', rtf_decode: '' })
    expect(Number(al?.['rtf_encoder'])).toBeGreaterThan(0)
  })

  it('is compared with no other by WER, and drawn where time is drawn', () => {
    const { differences, rows } = report(['asr', 'al', 'other'])
    expect(differences.map(({ first, second }) => [first, second])).toEqual([['asr', 'other']])
    expect(rows.map(({ wer }) => Number.isFinite(wer))).toEqual([true, false, true])
    const charts = new Map(drawCharts(report()).map((chart) => [chart.id, JSON.stringify(chart)]))
    for (const id of ['wer', 'wer-rtf', 'wer-size', 'by-length', 'by-speaker'])
      expect(charts.get(id)?.includes('"al"'), id).toBe(false)
    expect(charts.get('rtf')).toContain('"al"')
    expect(drawCharts(report(['al'])).map(({ id }) => id)).toEqual(['rtf', 'latency'])
  })

  it('says what it could not align, and what may be wrong', () => {
    const said = remarks(report())
    expect(said).toEqual(
      expect.arrayContaining([
        'clips, al: 1 could not be read or aligned (they are in no figure)',
        'clips, al: times of 1 utterance may be wrong, first clip-2: Most of it is out of order.',
        'clips, clip-1: The aligner does not support Hindi.',
        'al: given the reference, of which it finds the times; one utterance at a time, prompts in 8 bits',
      ]),
    )
  })

  it('is listed with the words of the reference and their times', () => {
    const [first, second, third] = listUtterances(report()).map(({ results }) => results[1])
    expect(first).toMatchObject({
      ...{ text: TEXT, isAligned: true, operations: '', errors: 0, failures: [] },
      spoken: [
        [0, 4, 0.1, 0.3],
        [5, 9, 0.5, 0.7],
      ],
    })
    expect(second?.failures).toEqual(['The aligner does not support Hindi.'])
    expect(third?.failures).toEqual(['Most of it is out of order.'])
  })
})

describe('times of words against those of an aligner', () => {
  const titles = (systems: string[]) =>
    textTables(report(systems))
      .map(({ title }) => title)
      .filter((title) => title.startsWith('Times'))

  it('are compared on the words and utterances that both have, known times or not', () => {
    const { columns, rows, title } = textTables(report()).at(-1) ?? {}
    expect(title).toBe('Times of words on clips against those of al: mean difference (median)')
    expect(Object.fromEntries(columns?.map((label, i) => [label, rows?.[0]?.[i]]) ?? [])).toEqual({
      ...{ system: 'asr', difference: '50 ms (50)', '95 % interval': '50 to 50 ms' },
      ...{ starts: '50 ms (50)', ends: '50 ms (50)', bias: '+50 ms', '≤ 80 ms': '50.00 %' },
      ...{ '≤ 200 ms': '100.00 %', edges: '8 of 8', utterances: '2' },
    })
  })

  it('have a table for each aligner, with the aligners behind it', () => {
    const named = ['al', 'asr', 'other', 'al'].map((name, i) => (i === 3 ? 'al 2' : name))
    const found = report(named)
    expect(found.timeComparisons.map(({ aligner, system }) => [aligner, system])).toEqual([
      ...['asr', 'other', 'al 2'].map((system) => ['al', system]),
      ...['asr', 'other'].map((system) => ['al 2', system]),
    ])
    expect(titles(named)).toHaveLength(2)
  })

  it('are in results.csv with the first aligner, in report.json with all', () => {
    const [asr, al] = parse(resultsCsv(report()), { columns: true }) as Record<string, string>[]
    expect(asr).toMatchObject({
      ...{ compared_with: 'al', difference_edges: '8', difference_edges_of_aligner: '8' },
      ...{ difference_mean: '0.05', difference_bias: '0.05', difference_within_80ms: '0.5' },
      ...{ difference_start_mean: '0.05', difference_end_median: '0.05' },
    })
    expect(al).toMatchObject({ compared_with: '', difference_mean: '' })
    expect(reportJson(report())).toMatchObject({
      timeComparisons: [
        { dataset: 'clips', aligner: 'al', system: 'asr', utterances: 2, all: { mean: 0.05 } },
      ],
    })
  })

  it('are none without an aligner, and of nothing that has no times', () => {
    expect(titles(['asr', 'other'])).toEqual([])
    expect(reportJson(report(['asr']))).not.toHaveProperty('timeComparisons')
    expect(report(['mute', 'al']).timeComparisons).toEqual([])
  })
})
