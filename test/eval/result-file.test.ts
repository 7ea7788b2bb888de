// SPDX-License-Identifier: Apache-2.0

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { UtteranceRecord } from '../../eval/record.ts'
import { openResults, readResults } from '../../eval/result-file.ts'
import { readRun } from '../../eval/run-description.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const RECORD: UtteranceRecord = {
  ...{ kind: 'utterance', dataset: 'clips', system: 'int4', setting: 's', machine: 'm' },
  ...{ id: 'a', row: 0, key: 'k', reference: 'one two', seconds: 1.5, text: 'one', compute: 0.2 },
  pieces: [
    {
      ...{ start: 0, raw: 'one', hasMarker: true, saysNone: false, generated: 3, ending: 'end' },
      ...{ timing: { mel: 0.1, encoder: 0.1, prefill: 0, decode: 0 }, firstToken: 0.2 },
    },
  ],
}
const RUN = {
  datasets: [
    { name: 'clips', source: { kind: 'folder' }, count: 1, of: 2, keys: ['k'], normalizer: 'basic' },
  ],
  systems: [{ name: 'int4', kind: 'model', settings: { layout: 'fused' }, setting: 's' }],
  selection: { sample: 'all' },
}
const REMEDY = 'Remove that line: what it was is measured again. Or name another folder with --output.'

let root = ''
beforeEach(async () => {
  root = await temporaryFolder()
})

/** A change of a copy. */
function changed<T>(value: T, change: (copy: Record<string, unknown>) => void): unknown {
  const copy = structuredClone(value) as Record<string, unknown>
  change(copy)
  return copy
}

describe('results.jsonl', () => {
  const path = () => join(root, 'results.jsonl')
  const write = (...records: readonly unknown[]) =>
    writeFile(path(), records.map((record) => `${JSON.stringify(record)}\n`).join(''))

  it('comes back as it was written, a piece without a language too', async () => {
    const machine = { ...{ cpu: 'x', cores: 2, features: [], memoryGiB: 1, platform: 'p', node: '20' } }
    const whole = { ...machine, onnxruntime: '1', executionProvider: 'cpu', threads: 1, workers: 1 }
    const others = [
      { kind: 'machine', id: 'm', machine: whole } as const,
      {
        kind: 'system',
        system: 'int4',
        setting: 's',
        machine: 'm',
        settings: { a: [1] },
        loadSeconds: 1,
      } as const,
      { ...RECORD, speaker: '7', language: 'German', warnings: ['cut'], problem: 'none' },
      { ...RECORD, words: [], referenceWords: [{ text: 'one two', start: 0, end: 0.5 }] },
    ]
    const file = await openResults(path())
    for (const record of [...others, RECORD]) await file.add(record)
    expect(await readResults(path())).toEqual([...others, RECORD])
  })

  it.each<[string, unknown, string]>([
    ['a list', [], 'line 2: kind is missing, wanted "utterance", "system" or "machine".'],
    ['null', null, 'line 2 holds null, wanted an object.'],
    ['another kind', { kind: 'note' }, 'line 2: kind is "note", wanted "utterance", "system" or "machine".'],
    ['no kind', {}, 'line 2: kind is missing, wanted "utterance", "system" or "machine".'],
    ['a text that is a number', { ...RECORD, text: 1 }, 'line 2: text is 1, wanted a string.'],
    ['seconds that are null', { ...RECORD, seconds: null }, 'line 2: seconds is null, wanted a number.'],
    ['pieces that are an object', { ...RECORD, pieces: {} }, 'line 2: pieces is {}, wanted an array.'],
    [
      'a piece without its timing',
      changed(RECORD, ({ pieces }) => Reflect.deleteProperty(Object(pieces)[0], 'timing')),
      'line 2: pieces.0.timing is missing, wanted an object.',
    ],
    [
      'an ending that nothing has',
      changed(RECORD, ({ pieces }) => Object.assign(Object(pieces)[0], { ending: 'bored' })),
      'line 2: pieces.0.ending is "bored", wanted "end", "limit" or "loop".',
    ],
    [
      'a word without its end',
      { ...RECORD, words: [{ text: 'one', start: 0 }] },
      'line 2: words.0.end is missing, wanted a number.',
    ],
    [
      'a machine without a processor',
      { kind: 'machine', id: 'm', machine: { cores: 2 } },
      'line 2: machine.cpu is missing, wanted a string.',
    ],
    [
      'settings that are a list',
      { kind: 'system', system: 'a', setting: 's', machine: 'm', settings: [3] },
      'line 2: settings is [3], wanted an object.',
    ],
  ])('is refused by line and key when it has %s', async (_, record, message) => {
    await write(RECORD, record)
    const refused = { message: expect.stringContaining(`${path()}, ${message}`), hint: REMEDY }
    await expect(readResults(path())).rejects.toMatchObject(refused)
  })

  it('is refused where a line is not JSON; a last line that is cut off is removed', async () => {
    await writeFile(path(), `{"kind": \n${JSON.stringify(RECORD)}\n`)
    await expect(readResults(path())).rejects.toThrow(`${path()}, line 1 is not valid JSON.`)
    await writeFile(path(), `${JSON.stringify(RECORD)}\n{"kind": "utt`)
    expect((await openResults(path())).records).toEqual([RECORD])
    expect(await readFile(path(), 'utf8')).toBe(`${JSON.stringify(RECORD)}\n`)
  })
})

describe('run.json', () => {
  const path = () => join(root, 'run.json')

  it('is read with and without what later versions note', async () => {
    expect(await readRun(path())).toBeUndefined()
    await writeFile(path(), JSON.stringify(RUN))
    expect(await readRun(path())).toEqual(RUN)
    const [dataset] = RUN.datasets
    const more = {
      ...RUN,
      datasets: [{ ...dataset, language: 'de', leftOut: 1 }],
      shard: { index: 1, of: 2 },
    }
    await writeFile(path(), JSON.stringify({ ...more, later: true }))
    expect(await readRun(path())).toEqual(more)
  })

  it('is not read through a folder, nor below a file', async () => {
    await mkdir(path())
    await expect(readRun(path())).rejects.toThrow(`${path()} is a directory, wanted a file.`)
    await writeFile(join(root, 'file'), '')
    expect(await readRun(join(root, 'file', 'run.json'))).toBeUndefined()
  })

  it.each<[string, string, string]>([
    ['half of it', JSON.stringify(RUN).slice(0, 40), ' is not valid JSON'],
    ['a list', '[]', ' holds [], wanted an object.'],
    ['nothing', '{}', ': datasets is missing, wanted an array.'],
    [
      'keys that are numbers',
      JSON.stringify({ ...RUN, datasets: [{ ...RUN.datasets[0], keys: ['a', 1] }] }),
      ': datasets.0.keys.1 is 1, wanted a string.',
    ],
    [
      'a normalizer that nobody has',
      JSON.stringify({ ...RUN, datasets: [{ ...RUN.datasets[0], normalizer: 'best' }] }),
      ': datasets.0.normalizer is "best", wanted one of basic, whisper-basic, whisper-english.',
    ],
    [
      'settings that are text',
      JSON.stringify({ ...RUN, systems: [{ ...RUN.systems[0], settings: 'fused' }] }),
      ': systems.0.settings is "fused", wanted an object.',
    ],
    [
      'a part that is not a number',
      JSON.stringify({ ...RUN, shard: { index: '1', of: 2 } }),
      ': shard.index is "1", wanted a whole number from 1 to ',
    ],
  ])('is refused by key when it holds %s', async (_, text, message) => {
    await writeFile(path(), text)
    await expect(readRun(path())).rejects.toMatchObject({
      message: expect.stringContaining(`${path()}${message}`),
      hint: 'Run that evaluation again: what it has measured is kept.',
    })
  })
})
