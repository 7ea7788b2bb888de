// SPDX-License-Identifier: Apache-2.0

import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import type { Dataset } from '../../eval/dataset/utterance.ts'
import { evaluate } from '../../eval/evaluation.ts'
import type { UtteranceRecord } from '../../eval/record.ts'
import { reportPage } from '../../eval/report/page.ts'
import { remarks } from '../../eval/report/remarks.ts'
import { resultsCsv, textTables } from '../../eval/report/tables.ts'
import { openResults, readResults } from '../../eval/result-file.ts'
import type { System, TranscriberOptions } from '../../eval/system.ts'
import {
  chosenRecords,
  otherTexts,
  requireLists,
  requireUsed,
} from '../../pipeline/evaluate/hotword-checks.ts'
import { reportJson } from '../../pipeline/evaluate/write-report.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { exampleReport } from '../helpers/report-records.ts'

const HOTWORDS = { rare: ['Anna'], list: ['Anna', 'Berta'] }

/** Three utterances, the last without a list: of a model, the same with lists, and another one. */
const HEARD = [
  ['call hanna now', 'call hanna', 'call anna'],
  ['call anna now', 'call anna berta now', 'call berta'],
  ['call now', 'call now', 'call now'],
]
const report = () =>
  exampleReport({
    ...{ systems: ['fp32', 'fp32 + hotwords', 'other'], datasets: ['clips'], count: 3 },
    texts: (row, system) => ['Call Anna now', HEARD[system]?.[row] ?? ''],
    settings: (system) =>
      system === 1 ? { hotwords: '0123456789abcdef' } : system === 2 ? { batch: 2 } : {},
    more: (row, system) => ({ ...(system === 1 && row < 2 && { hotwords: HOTWORDS }) }),
  })

describe('hotwords in a report', () => {
  it('are a table of all systems, on the utterances that have a list, and one of what the lists changed', () => {
    const [, , rates, changes, ...others] = textTables(report())
    expect(others).toEqual([])
    const figures = ['WER', 'B-WER', 'U-WER', 'recall', 'false / 1000'].flatMap((name) => [
      name,
      '95 % interval',
    ])
    expect(rates?.title).toBe('Hotwords on clips')
    expect(rates?.columns).toEqual([
      ...['system', ...figures, 'false', 'recited', 'hotwords', 'words', 'utterances'],
    ])
    const row = (name: string) => rates?.rows.find(([system]) => system === name)
    // hanna; hanna, and now left out: biased 2 of 2, unbiased 1 of 4
    expect(row('fp32')).toEqual([
      ...['fp32', '50.00 %', '33.33 % to 66.67 %', '100.00 %', '100.00 % to 100.00 %'],
      ...['25.00 %', '0.00 % to 50.00 %', '0.00 %', '0.00 % to 0.00 %', '0.00', '0.00 to 500.00'],
      ...['0', '0', '2', '6', '2'],
    ])
    // berta put in: unbiased 1 of 4, a false insertion; no word of the list missed, of which there are two
    expect(row('fp32 + hotwords')).toEqual([
      ...['fp32 + hotwords', '16.67 %', '0.00 % to 33.33 %', '0.00 %', '0.00 % to 100.00 %'],
      ...['25.00 %', '0.00 % to 50.00 %', '100.00 %', '0.00 % to 100.00 %', '166.67', '0.00 to 333.33'],
      ...['1', '0', '2', '6', '2'],
    ])
    expect(rates?.rows.map(([system]) => system)).toEqual(['fp32', 'fp32 + hotwords', 'other'])
    expect(changes?.title).toBe('What lists of hotwords changed on clips: with them less without, in points')
    expect(changes?.rows).toEqual([
      [
        ...['fp32 + hotwords', '-33.33', '-33.33 to -33.33', '-100.00', '-100.00 to -100.00'],
        ...['+0.00', '+0.00 to +0.00', '+100.00', '+100.00 to +100.00', '+166.67', '+0.00 to +333.33', '2'],
      ],
    ])
  })

  it('are columns of results.csv', () => {
    const [fp32, lists] = parse(resultsCsv(report()), { columns: true }) as Record<string, string>[]
    expect(fp32).toMatchObject({
      ...{
        system: 'fp32',
        hotword_utterances: '2',
        hotword_wer: '0.5',
        b_wer: '1',
        b_errors: '2',
        b_words: '2',
      },
      ...{ u_wer: '0.25', u_errors: '1', u_words: '4', hotword_recall: '0', hotwords_recognized: '0' },
      ...{ hotwords_said: '2', false_insertion_rate: '0', false_insertions: '0', recitals: '0' },
    })
    expect(lists).toMatchObject({
      ...{
        b_wer: '0',
        b_wer_high: '1',
        hotword_recall: '1',
        hotword_recall_low: '0',
        hotwords_recognized: '2',
      },
      ...{ false_insertion_rate: '0.166667', false_insertions: '1' },
    })
    const plain = exampleReport({
      ...{ systems: ['a'], datasets: ['clips'], count: 1, texts: () => ['one', 'one'] as const },
    })
    expect(parse(resultsCsv(plain), { columns: true })[0]).toMatchObject({ b_wer: '', recitals: '0' })
    expect(textTables(plain).length).toBe(2)
  })

  it('are in report.json and in the page; what has no list is said', async () => {
    const { rows, differences } = reportJson(report()) as Record<string, { hotwords?: object }[]>
    expect(rows?.map(({ hotwords }) => hotwords)).toEqual(
      Array(3).fill(expect.objectContaining({ utterances: 2 })),
    )
    expect(differences?.map(({ hotwords }) => hotwords !== undefined)).toEqual([true, false, false])
    const page = await reportPage(report(), { audioPath: () => undefined })
    expect(page).toContain('Hotwords on <bdi>clips</bdi>')
    expect(remarks(report())).toContain(
      'clips, fp32 + hotwords: 1 utterance of 3 without a list of hotwords, transcribed without a context and left out of the table of hotwords',
    )
    expect(remarks(report())).toContainEqual(
      'fp32 + hotwords: fused layout, one utterance at a time, with the hotwords of each utterance as its context',
    )
  })

  it('say how often a list was recited, with lists and with any context', () => {
    const recited = exampleReport({
      ...{
        systems: ['fp32', 'lists'],
        datasets: ['clips'],
        count: 2,
        texts: () => ['Anna', 'anna'] as const,
      },
      more: (row, system) => (row === 0 && system === 1 ? { hotwords: HOTWORDS, pieces: [RECITED] } : {}),
    })
    expect(remarks(recited)).toContain('clips, lists: 1 recited the context, and decoded again without it')
    expect(recited.rows.map(({ recitals }) => recitals)).toEqual([0, 1])
    expect(recited.differences[0]).not.toHaveProperty('hotwords') // they do not differ by lists
  })
})

const RECITED: UtteranceRecord['pieces'][number] = {
  ...{ start: 0, raw: 'anna', language: 'English', hasMarker: true, saysNone: false, generated: 1 },
  ...{
    ending: 'end',
    hasRecited: true,
    firstToken: 0.1,
    timing: { mel: 0, encoder: 0, prefill: 0, decode: 0 },
  },
}

const machine = {
  ...{ cpu: 'x', cores: 2, features: [], memoryGiB: 1, platform: 'p', node: '20' },
  ...{ onnxruntime: '1', executionProvider: 'cpu', threads: 1, workers: 1 },
}
const dataset: Dataset = {
  ...{
    name: 'clips',
    source: { kind: 'folder' },
    count: 2,
    of: 2,
    leftOut: 0,
    download: 0,
    keys: ['ka', 'kb'],
  },
  audioPath: () => undefined,
  async *utterances(isWanted) {
    const utterances = ['a', 'b'].map((id, row) => ({ id, row, key: `k${id}`, path: id, text: 'Anna' }))
    yield* utterances.filter(({ key }) => isWanted(key))
  },
}

describe('an evaluation with lists', () => {
  it('gives each utterance its list, keeps it in the record, and measures nothing twice', async () => {
    const path = `${await temporaryFolder()}/results.jsonl`
    const contexts: (readonly [system: string, path: string, context: string | undefined])[] = []
    const system = (name: string, more: Partial<System>): System => ({
      ...{ name, kind: 'model', setting: name, settings: {} },
      start: async () => ({
        size: 1,
        transcribe: async (file: string, { context }: TranscriberOptions) => {
          contexts.push([name, file, context])
          return { seconds: 1, text: 'anna', compute: 0.1, pieces: [RECITED] }
        },
        close: async () => {},
      }),
      ...more,
    })
    const of = ({ id }: { readonly id: string }) => (id === 'a' ? { ...HOTWORDS, line: 7 } : undefined)
    const base = system('base', {})
    const lists = system('lists', { hotwords: { id: 'x', source: 'lists.tsv', of } })
    const run = async (systems: readonly System[]) => {
      const { signal } = new AbortController()
      for await (const _ of evaluate(systems, [dataset], await openResults(path), { machine, signal }));
    }
    await run([base])
    await run([base, lists])
    await run([base, lists])
    expect(contexts).toEqual([
      ['base', 'a', undefined],
      ['base', 'b', undefined],
      ['lists', 'a', 'Anna, Berta'],
      ['lists', 'b', undefined],
    ])
    const records = (await readResults(path)).filter((record) => record.kind === 'utterance')
    expect(records.map(({ system: name, id, hotwords }) => [name, id, hotwords])).toEqual([
      ['base', 'a', undefined],
      ['base', 'b', undefined],
      ['lists', 'a', HOTWORDS],
      ['lists', 'b', undefined],
    ])
    expect(records[0]?.pieces[0]?.hasRecited).toBe(true)
  })
})

describe('lists of other data', () => {
  const record = (id: string, reference: string, where = 'clips') =>
    ({ kind: 'utterance', dataset: where, key: `k${id}`, id, reference }) as UtteranceRecord
  const row = (text: string, line: number) => ({ text, rare: [], list: [], line })
  const lists = {
    ...{ id: 'x', source: 'lists.tsv', of: () => undefined },
    rows: new Map([
      ['a', row('anna', 1)],
      ['b', row('BERTA.', 2)],
    ]),
  }

  it('are refused when no utterance has a row', () => {
    const records = [record('a.flac', 'Anna'), record('b.flac', 'Berta')]
    expect(() => requireLists(lists, records)).toThrow(
      'None of the 2 utterances has a list in lists.tsv: their ids are such as a.flac, those of the file such as a.',
    )
    expect(() => requireLists(lists, [...records, record('b', 'Berta')])).not.toThrow()
    expect(() => requireLists(lists, [])).not.toThrow()
  })

  it('are refused at last when no utterance had a list, of a manifest too', () => {
    const start = () => Promise.reject(new Error('not started'))
    const system: System = {
      ...{ name: 'a', kind: 'model', setting: 's', settings: { hotwords: lists.id }, hotwords: lists },
      start,
    }
    const check = (more: Partial<UtteranceRecord>) => () =>
      requireUsed(lists, [system], [{ ...record('a', 'Anna'), setting: 's', ...more }])
    expect(check({})).toThrow('None of the utterances has a list in lists.tsv.')
    expect(check({ setting: 'other' })).not.toThrow()
    expect(check({ hotwords: HOTWORDS })).not.toThrow()
  })

  it('are noted where their text is another one, in each dataset', () => {
    const records = [
      record('a', 'Anton'),
      record('b', 'Berta'),
      record('c', 'Caesar'),
      record('b', 'Bert', 'more'),
    ]
    expect(otherTexts(lists, records)).toEqual([
      "clips: 1 utterance has another reference than the text in lists.tsv, first a (line 1). The dataset's references are scored.",
      "more: 1 utterance has another reference than the text in lists.tsv, first b (line 2). The dataset's references are scored.",
    ])
    expect(otherTexts(lists, [record('a', 'Anna!')])).toEqual([])
  })

  it('are looked at for chosen utterances alone, each once', () => {
    const records = [
      record('a', 'Anna'),
      record('b', 'Berta'),
      record('a', 'Anna'),
      record('a', 'Anna', 'more'),
    ]
    expect(chosenRecords([{ name: 'clips', keys: ['ka'] }], records)).toEqual([record('a', 'Anna')])
  })
})
