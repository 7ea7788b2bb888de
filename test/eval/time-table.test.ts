// SPDX-License-Identifier: Apache-2.0

import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import type { Dataset, Utterance } from '../../eval/dataset/utterance.ts'
import { evaluate } from '../../eval/evaluation.ts'
import type { UtteranceRecord } from '../../eval/record.ts'
import { reportPage } from '../../eval/report/page.ts'
import { resultsCsv, textTables } from '../../eval/report/tables.ts'
import { openResults } from '../../eval/result-file.ts'
import type { System } from '../../eval/system.ts'
import { reportJson } from '../../pipeline/evaluate/write-report.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { exampleReport } from '../helpers/report-records.ts'

const REFERENCE = [
  { text: 'One', start: 0, end: 0.4 },
  { text: 'in the', start: 0.4, end: 0.9 },
]
/** Three of the four edges have an error, since the last word was not heard; the first start is 200 ms later still. */
const heard = (late: number) => [
  { text: 'one', start: 0.2 + late, end: 0.4 + late },
  { text: 'in', start: 0.4 + late, end: 0.4 + late },
]
const NONE = { words: [], referenceWords: REFERENCE }

/** Two utterances, the second of which nobody transcribed; the third system is an engine without times. */
const times = (row: number, system: number): Partial<UtteranceRecord> =>
  system === 2
    ? { referenceWords: REFERENCE }
    : row === 1
      ? NONE
      : { words: heard([0.04, -0.1][system] ?? 0), referenceWords: REFERENCE }

const report = () =>
  exampleReport({
    ...{ systems: ['late', 'early', 'engine'], datasets: ['clips', 'others'], count: 2 },
    texts: () => ['One in the', 'one in'],
    more: (row, system) => times(row, system),
  })

describe('times of words in a report', () => {
  it('are a table of each dataset, of the systems that have them', () => {
    const tables = textTables(report())
    expect(tables.map(({ title }) => title.split(' on ')[0])).toEqual([
      'WER',
      'Speed',
      'Times of words',
      'WER',
      'Speed',
      'Times of words',
    ])
    expect(tables[2]).toEqual({
      title: 'Times of words on clips: mean error (median) of starts and ends',
      columns: [
        ...['system', 'error', '95 % interval', 'starts', 'ends', 'bias', '≤ 80 ms', '≤ 200 ms'],
        ...['edges', 'zero length', 'out of order', 'after the end', 'words'],
      ],
      rows: [
        [
          'late',
          '107 ms (40)',
          '107 to 107 ms',
          '140 ms (140)',
          '40 ms (40)',
          '+107 ms',
          '66.67 %',
          '66.67 %',
          '3 of 8',
          '1',
          '0',
          '0',
          '2',
        ],
        [
          'early',
          '100 ms (100)',
          '100 to 100 ms',
          '100 ms (100)',
          '100 ms (100)',
          '-33 ms',
          '0.00 %',
          '100.00 %',
          '3 of 8',
          '1',
          '0',
          '0',
          '2',
        ],
      ],
    })
  })

  it('are columns of results.csv in seconds and shares, empty for systems without', () => {
    const [late, , engine] = parse(resultsCsv(report()), { columns: true }) as Record<string, string>[]
    expect(late).toMatchObject({
      ...{ system: 'late', time_utterances: '2', time_edges_of_reference: '8', time_edges: '3' },
      ...{ time_error_mean: '0.106667', time_error_median: '0.04', time_bias: '0.106667' },
      ...{ time_within_80ms: '0.666667', time_within_200ms: '0.666667' },
      ...{ time_error_low: '0.106667', time_error_high: '0.106667', time_within_80ms_low: '0.666667' },
      ...{ start_edges: '2', start_error_mean: '0.14', start_error_median: '0.14', start_within_80ms: '0.5' },
      ...{ end_edges: '1', end_error_mean: '0.04', end_bias: '0.04', end_within_200ms: '1' },
      ...{ timed_words: '2', zero_length_words: '1', words_out_of_order: '0', words_after_end: '0' },
    })
    expect(engine).toMatchObject({
      system: 'engine',
      time_utterances: '',
      time_error_mean: '',
      timed_words: '',
    })
  })

  it('are in report.json and in the page', async () => {
    const { rows } = reportJson(report()) as { rows: { system: string; times?: object }[] }
    expect(rows.map(({ system, times: found }) => [system, found !== undefined])).toEqual([
      ...['late', 'early'].map((system) => [system, true]),
      ['engine', false],
      ...['late', 'early'].map((system) => [system, true]),
      ['engine', false],
    ])
    expect(rows[0]?.times).toMatchObject({
      utterances: 2,
      referenceEdges: 8,
      odd: { words: 2, zeroLength: 1 },
      ends: { edges: 1 },
    })
    const page = await reportPage(report(), { audioPath: () => undefined })
    expect(page).toContain('Times of words on <bdi>clips</bdi>: mean error (median) of starts and ends')
    expect(page).toContain('>107 ms (40)<')
  })

  it('make no table where one side has none', () => {
    const without = exampleReport({
      ...{ systems: ['a'], datasets: ['clips'], count: 1, texts: () => ['one', 'one'] as const },
      more: () => ({ words: heard(0) }),
    })
    expect(textTables(without).map(({ title }) => title.split(' on ')[0])).toEqual(['WER', 'Speed'])
  })
})

describe('times of words in results', () => {
  it('are those of the reference and of the hypothesis, in one record', async () => {
    const path = `${await temporaryFolder()}/results.jsonl`
    const results = await openResults(path)
    const utterance = { path: 'a.wav', text: 'One in the' }
    const utterances: Utterance[] = [
      { ...utterance, id: 'a', row: 0, key: 'a', words: REFERENCE },
      { ...utterance, id: 'b', row: 1, key: 'b' },
      { ...utterance, id: 'ms', row: 2, key: 'ms', words: [{ text: 'One', start: 0, end: 400 }] },
    ]
    const dataset: Dataset = {
      ...{
        name: 'clips',
        source: { kind: 'folder' },
        count: 3,
        of: 3,
        leftOut: 0,
        download: 0,
        keys: ['a', 'b', 'ms'],
      },
      audioPath: () => undefined,
      async *utterances() {
        yield* utterances
      },
    }
    const transcribe = async () => ({ seconds: 1, text: 'one in', compute: 0.1, pieces: [], words: heard(0) })
    const system: System = {
      ...{ name: 'x', kind: 'model', setting: 's', settings: {} },
      start: async () => ({ size: 1, transcribe, close: async () => {} }),
    }
    const machine = {
      ...{ cpu: 'x', cores: 2, features: [], memoryGiB: 1, platform: 'p', node: '20' },
      ...{ onnxruntime: '1', executionProvider: 'cpu', threads: 1, workers: 1 },
    }
    const { signal } = new AbortController()
    for await (const _ of evaluate([system], [dataset], results, { machine, signal }));
    const records = (await openResults(path)).records.filter((record) => record.kind === 'utterance')
    expect(records.map(({ id, referenceWords, warnings }) => ({ id, referenceWords, warnings }))).toEqual([
      { id: 'a', referenceWords: REFERENCE, warnings: undefined },
      { id: 'b', referenceWords: undefined, warnings: undefined },
      {
        ...{ id: 'ms', referenceWords: undefined },
        warnings: [
          'The times of its words are not compared: they end at 400 s, and the recording at 1.00 s.',
        ],
      },
    ])
    for (const { words } of records) expect(words).toEqual(heard(0))
  })
})
