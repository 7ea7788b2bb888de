// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { beforeEach, describe, expect, it } from 'vitest'
import { type OpenOptions, openDataset } from '../../eval/dataset/open.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { collect } from '../helpers/collect.ts'
import { startDatasetHub } from '../helpers/dataset-hub.ts'
import { temporaryFolder } from '../helpers/folder.ts'

type Written = Parameters<typeof parquetWriteBuffer>[0]
type Schema = NonNullable<Written['schema']>

const ALL = { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 1 } as const
const RAMP = Float32Array.from({ length: 8000 }, (_, i) => ((i % 200) - 100) / 128)
const WAV = encodeWav(RAMP)
const OPTIONAL = { repetition_type: 'OPTIONAL' } as const

const text = (name: string): Schema => [{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', ...OPTIONAL }]
const bytes = (name: string): Schema => [{ name, type: 'BYTE_ARRAY', ...OPTIONAL }]
const struct = (name: string, ...fields: readonly Schema[]): Schema => [
  { name, num_children: fields.length, ...OPTIONAL },
  ...fields.flat(),
]
const list = (name: string, [element, ...rest]: Schema): Schema => [
  { name, num_children: 1, converted_type: 'LIST', ...OPTIONAL },
  { name: 'list', num_children: 1, repetition_type: 'REPEATED' },
  { ...(element as Schema[number]), name: 'element' },
  ...rest,
]
const number = (name: string, type: 'INT64' | 'DOUBLE' | 'FLOAT'): Schema => [{ name, type, ...OPTIONAL }]

let root = ''
beforeEach(async () => {
  root = await temporaryFolder()
})

function parquet(
  columns: Readonly<Record<string, readonly [Schema, readonly unknown[]]>>,
  rowGroupSize = 100,
): Uint8Array {
  const fields = Object.values(columns).map(([schema]) => schema)
  return new Uint8Array(
    parquetWriteBuffer({
      rowGroupSize,
      columnData: Object.entries(columns).map(([name, [, data]]) => ({ name, data: [...data] })),
      schema: [{ name: 'root', num_children: fields.length }, ...fields.flat()],
    }),
  )
}

async function open(content: Uint8Array | string, more: Partial<OpenOptions> = {}) {
  const path = join(root, 'clips.parquet')
  await writeFile(path, content)
  const dataset = await openDataset(path, { selection: ALL, cache: join(root, 'cache'), ...more })
  const utterances = await collect(dataset)
  expect(dataset.keys).toEqual(utterances.map(({ key }) => key))
  return { dataset, utterances }
}

const audio = (count: number) =>
  [
    struct('audio', bytes('bytes'), text('path')),
    Array.from({ length: count }, () => ({ bytes: WAV, path: 'x.wav' })),
  ] as const

describe('files that are not parquet', () => {
  const good = parquet({ audio: audio(1), text: [text('text'), ['one']] })
  const flipped = Uint8Array.from(good)
  flipped.fill(0xff, good.length - 60, good.length - 8)

  it.each<[string, Uint8Array | string, string]>([
    ['nothing', '', 'clips.parquet is empty (0 bytes).'],
    ['few bytes', 'PAR1', 'clips.parquet is not a parquet file: it has 4 bytes.'],
    ['other bytes', 'x'.repeat(5000), 'clips.parquet is not a parquet file, or its footer is damaged.'],
    [
      'the beginning of one',
      good.subarray(0, good.length / 2),
      'clips.parquet is not a parquet file, or its footer is damaged.',
    ],
    ['a broken footer', flipped, 'clips.parquet is not a parquet file, or its footer is damaged.'],
    [
      'an absurd footer',
      Buffer.concat([good.subarray(0, -8), Buffer.from([255, 255, 255, 127]), good.subarray(-4)]),
      'clips.parquet is not a parquet file, or its footer is damaged.',
    ],
    ['no rows', parquet({ audio: audio(0), text: [text('text'), []] }), 'clips.parquet holds no rows.'],
  ])('are refused: %s', async (_name, content, message) => {
    await expect(open(content)).rejects.toMatchObject({ name: 'SpeechError', message })
  })

  it('are refused when a row group is damaged', async () => {
    const broken = Uint8Array.from(good)
    broken.fill(0xff, 4, 60)
    await expect(open(broken)).rejects.toMatchObject({
      name: 'SpeechError',
      message: 'clips.parquet: row group 0 of 1 cannot be read.',
    })
  })
})

describe('columns of text', () => {
  it.each<[string, Schema, readonly unknown[], string, string]>([
    [
      'a struct',
      struct('text', text('en'), text('de')),
      [{ en: 'one', de: 'eins' }],
      'the column text is a struct of en, de, wanted text.',
      'Name a field of it: --text-column text.en or text.de',
    ],
    [
      'a list',
      list('text', text('x')),
      [['one', 'two']],
      'the column text is a list of texts, wanted text.',
      'Name a column that holds text with --text-column.',
    ],
    [
      'a list of structs',
      list('text', struct('x', text('word'))),
      [[{ word: 'one' }]],
      'the column text is a list of structs, wanted text.',
      'Name a column that holds text with --text-column.',
    ],
    [
      'floats',
      number('text', 'DOUBLE'),
      [1.5],
      'the column text is of type DOUBLE, wanted text.',
      'Name a column that holds text with --text-column.',
    ],
    [
      'times by a logical type alone',
      [
        {
          ...{ name: 'text', type: 'INT64', ...OPTIONAL },
          logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'NANOS' },
        },
      ],
      [1n],
      'the column text is of type TIMESTAMP, wanted text.',
      'Name a column that holds text with --text-column.',
    ],
  ])('are refused when they are %s', async (_name, schema, data, message, hint) => {
    await expect(open(parquet({ audio: audio(1), text: [schema, data] }))).rejects.toMatchObject({
      message: `clips.parquet: ${message}`,
      hint,
    })
  })

  it('may be a field of a struct by its name', async () => {
    const content = parquet({
      audio: audio(2),
      text: [
        struct('text', text('en'), struct('more', text('de'))),
        [
          { en: 'one', more: { de: 'eins' } },
          { en: 'two', more: null },
        ],
      ],
    })
    const { dataset, utterances } = await open(content, { textColumn: 'text.en' })
    expect(utterances.map((utterance) => utterance.text)).toEqual(['one', 'two'])
    expect(dataset.source).toMatchObject({ text_column: 'text.en' })
    const deep = await open(content, { textColumn: 'text.more.de' })
    expect(deep.utterances.map((utterance) => utterance.text)).toEqual(['eins'])
    expect(deep.dataset.leftOut).toBe(1)
    await expect(open(content, { textColumn: 'text.fr' })).rejects.toThrow('the column text has no field fr.')
  })

  it('may be whole numbers, and bytes of UTF-8', async () => {
    const numbers = await open(parquet({ audio: audio(1), text: [number('text', 'INT64'), [17n]] }))
    expect(numbers.utterances.map((utterance) => utterance.text)).toEqual(['17'])
    const small: Schema = [{ name: 'text', type: 'INT32', converted_type: 'INT_8', ...OPTIONAL }]
    const { utterances: bytewise } = await open(parquet({ audio: audio(1), text: [small, [18]] }))
    expect(bytewise.map((utterance) => utterance.text)).toEqual(['18'])
    const raw = [Buffer.from('Tür'), Buffer.from('Tür', 'latin1'), Buffer.from('zwei')].map(
      (b) => new Uint8Array(b),
    )
    const { utterances } = await open(parquet({ audio: audio(3), text: [bytes('text'), raw] }))
    expect(utterances.map((utterance) => [utterance.text, utterance.problem])).toEqual([
      ['Tür', undefined],
      ['', 'The reference in this row is not valid UTF-8.'],
      ['zwei', undefined],
    ])
  })

  it('are found by the names that manifests have, in any case', async () => {
    const content = parquet({
      Audio: [struct('Audio', bytes('bytes'), text('path')), audio(1)[1]],
      Raw_Transcription: [text('Raw_Transcription'), ['one']],
    })
    expect((await open(content)).utterances.map((utterance) => utterance.text)).toEqual(['one'])
    await expect(open(parquet({ audio: audio(1), words: [text('words'), ['one']] }))).rejects.toThrow(
      /has no column text or sentence or .* for text; it has audio, words\./,
    )
  })
})

describe('references that are empty', () => {
  const texts = ['one', null, '', '  ', '\u3000', 'zwölf', 'two', 'three']

  it.each([100, 2])('are left out and counted in row groups of %i, or kept', async (rowGroupSize) => {
    const content = parquet({ audio: audio(8), text: [text('text'), texts] }, rowGroupSize)
    const { dataset, utterances } = await open(content)
    expect(utterances.map((utterance) => [utterance.text, utterance.row, utterance.problem])).toEqual([
      ['one', 0, undefined],
      ['zwölf', 5, undefined],
      ['two', 6, undefined],
      ['three', 7, undefined],
    ])
    expect(dataset).toMatchObject({ count: 4, of: 8, leftOut: 4 })
    expect((await open(content)).dataset).toMatchObject({ count: 4, of: 8, leftOut: 4 }) // from the cache
    const kept = await open(content, { keepEmpty: true })
    expect(kept.utterances.map((utterance) => utterance.text.trim())).toEqual(
      texts.map((t) => t?.trim() ?? ''),
    )
    expect(kept.utterances.every(({ problem, path }) => problem === undefined && path !== undefined)).toBe(
      true,
    )
    expect(kept.dataset).toMatchObject({ count: 8, leftOut: 0 })
  })

  it('cost a request only where the footer does not rule them out', async () => {
    const part = (...some: readonly (string | null)[]) =>
      parquet({ audio: audio(some.length), text: [text('text'), some] })
    const files = new Map([
      ['default/test/0.parquet', part('one', 'two')],
      ['default/test/1.parquet', part('one', null)],
      ['default/test/2.parquet', part('one', ' ')],
    ])
    const hub = await startDatasetHub({ repo: 'a/b', files })
    const dataset = await openDataset('hub:a/b/default/test', {
      endpoint: hub.url,
      cache: root,
      selection: ALL,
    })
    expect(dataset).toMatchObject({ count: 4, of: 6, leftOut: 2 })
    expect(hub.stored.filter((request) => request.includes('0.parquet')).length).toBe(1)
    expect(hub.stored.filter((request) => request.includes('1.parquet')).length).toBeGreaterThan(1)
    expect((await collect(dataset)).map((utterance) => utterance.text)).toEqual(['one', 'two', 'one', 'one'])
  })
})

describe('columns of audio', () => {
  it('may be bytes, by any of the names', async () => {
    const content = parquet({ wav: [bytes('wav'), [WAV]], text: [text('text'), ['one']] })
    const { utterances } = await open(content)
    expect((await loadClip(utterances[0]?.path ?? '')).samples.length).toBe(8000)
  })

  it.each(['DOUBLE', 'FLOAT'] as const)('may be samples of type %s with their rate', async (type) => {
    const schema = struct(
      'audio',
      list('array', number('x', type)),
      number('sampling_rate', 'INT64'),
      text('path'),
    )
    const row = { array: [...RAMP], sampling_rate: 16_000n, path: null }
    const odd = [
      { ...row, array: [0, null, 1] },
      { ...row, sampling_rate: null },
      { ...row, array: null },
    ]
    const { utterances } = await open(
      parquet({ audio: [schema, [row, ...odd]], text: [text('text'), ['1', '2', '3', '4']] }),
    )
    expect((await loadClip(utterances[0]?.path ?? '')).samples).toEqual(RAMP)
    await expect(loadClip(utterances[1]?.path ?? '')).rejects.toThrow('audio')
    expect(utterances.map(({ problem }) => problem).slice(2)).toEqual([
      'The samples in this row have a rate of null a second, wanted a whole number above 0.',
      'The dataset has no audio in this row.',
    ])
  })

  it('may be samples at another rate', async () => {
    const schema = struct('audio', list('array', number('x', 'DOUBLE')), number('sampling_rate', 'INT64'))
    const row = { array: [...RAMP], sampling_rate: 8000n }
    const { utterances } = await open(parquet({ audio: [schema, [row]], text: [text('text'), ['1']] }))
    expect(await loadClip(utterances[0]?.path ?? '')).toMatchObject({ seconds: 1, sourceRate: 8000 })
  })

  it.each<[string, Schema, unknown, string]>([
    ['a list of numbers', list('audio', number('x', 'DOUBLE')), [1, 2], 'a list of DOUBLE values'],
    [
      'a struct of something else',
      struct('audio', text('url'), number('size', 'INT64')),
      { url: 'x', size: 1n },
      'a struct of url, size',
    ],
    [
      'samples without a rate',
      struct('audio', list('array', number('x', 'DOUBLE'))),
      { array: [1] },
      'a struct of array',
    ],
    ['a number', number('audio', 'INT64'), 1n, 'of type INT64'],
  ])('are refused when they are %s', async (_name, schema, value, found) => {
    await expect(open(parquet({ audio: [schema, [value]], text: [text('text'), ['1']] }))).rejects.toThrow(
      `clips.parquet: the column audio is ${found}, wanted audio.`,
    )
  })

  it.each<[string, Schema, (name: string) => unknown]>([
    ['a name', text('audio'), (name) => name],
    [
      'a struct of bytes and path, the bytes null',
      struct('audio', bytes('bytes'), text('path')),
      (path) => ({ bytes: null, path }),
    ],
    ['a struct of a path', struct('audio', text('path')), (path) => ({ path })],
  ])('may be %s: the files are read beside the table', async (_name, schema, write) => {
    await writeFile(join(root, 'x.wav'), WAV)
    const names = ['x.wav', join(root, 'x.wav'), 'gone.wav', 'https://example.org/x.wav']
    const content = parquet({
      audio: [schema, names.map(write)],
      text: [text('text'), ['1', '2', '3', '4']],
      id: [text('id'), ['a', 'b', 'c', 'd']],
    })
    const { dataset, utterances } = await open(content)
    expect(dataset).toMatchObject({ name: 'clips', count: 4 })
    expect(utterances.map(({ path, problem }) => path ?? problem)).toEqual([
      join(root, 'x.wav'),
      join(root, 'x.wav'),
      `${join(root, 'gone.wav')} does not exist.`,
      'https://example.org/x.wav is an address, and only files of this machine are read.',
    ])
  })

  it('are those of AudioFolder in metadata.parquet, which is found by its folder', async () => {
    await writeFile(join(root, 'x.wav'), WAV)
    await writeFile(
      join(root, 'metadata.parquet'),
      parquet({
        file_name: [text('file_name'), ['x.wav', 'x.wav']],
        transcription: [text('transcription'), ['one', null]],
        id: [text('id'), ['a', 'b']],
      }),
    )
    const dataset = await openDataset(root, { selection: ALL, cache: join(root, 'cache') })
    expect(dataset).toMatchObject({ count: 1, leftOut: 1, source: { kind: 'folder' } })
    expect((await collect(dataset)).map(({ path }) => path)).toEqual([join(root, 'x.wav')])
  })

  it('are refused on the hub when they are names alone', async () => {
    const files = new Map([
      ['default/test/0.parquet', parquet({ path: [text('path'), ['x.wav']], text: [text('text'), ['one']] })],
    ])
    const hub = await startDatasetHub({ repo: 'a/b', files })
    await expect(
      openDataset('hub:a/b/default/test', { endpoint: hub.url, cache: root, selection: ALL }),
    ).rejects.toThrow('default/test/0.parquet: the column path holds the names of files, wanted audio.')
  })

  it('may be missing in a row, which is then named', async () => {
    const rows = [{ bytes: WAV, path: 'x.wav' }, { bytes: null, path: 'y.wav' }, null]
    const { utterances } = await open(
      parquet({ audio: [audio(0)[0], rows], text: [text('text'), ['1', '2', '3']] }),
    )
    expect(utterances.map(({ problem }) => problem)).toEqual([
      undefined,
      'The dataset has only a name (y.wav) and no audio in this row.',
      'The dataset has no audio in this row.',
    ])
  })
})

describe('what is cached of a local file', () => {
  it('is known by the contents of the row groups that were read', async () => {
    const write = (...texts: readonly string[]) =>
      parquet({ audio: audio(texts.length), text: [text('text'), texts] }, 1)
    expect((await open(write('one', 'one'))).utterances.length).toBe(2)
    const first = await open(write('one', 'two'))
    const second = await open(write('one', 'TWO'))
    expect(second.dataset.keys[0]).toBe(first.dataset.keys[0])
    expect(second.dataset.keys[1]).not.toBe(first.dataset.keys[1])
    expect(second.utterances.map((utterance) => utterance.text)).toEqual(['one', 'TWO'])
    for (const { path } of second.utterances) expect((await readFile(path ?? '')).equals(WAV)).toBe(true)
  })
})
