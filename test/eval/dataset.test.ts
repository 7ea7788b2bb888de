// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chooseRows } from '../../eval/dataset/choose.ts'
import { type OpenOptions, openDataset } from '../../eval/dataset/open.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { collect } from '../helpers/collect.ts'
import { COMMIT, type DatasetHub, type Fault, startDatasetHub } from '../helpers/dataset-hub.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { bundledRows, speechParquet } from '../helpers/speech-parquet.ts'

const REPO = 'openslr/librispeech_asr'
const ALL = { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 1 } as const

async function options(hub: DatasetHub, more: Partial<OpenOptions> = {}): Promise<OpenOptions> {
  const cache = await temporaryFolder()
  return { endpoint: hub.url, cache, selection: ALL, firstWaitMs: 5, stallMs: 500, ...more }
}

/** test.other in two files of three row groups, five rows each, and other files that must not be touched. */
async function libriSpeech(token?: string): Promise<DatasetHub> {
  const rows = await bundledRows(30)
  const files = new Map([
    ['README.md', Buffer.from('# readme')],
    ['all/test.other/notes.txt', Buffer.from('not parquet')],
    ['all/test.other/0000.parquet', await speechParquet(rows.slice(0, 15), 5)],
    ['all/test.other/0001.parquet', await speechParquet(rows.slice(15), 5)],
    ['all/test.clean/0000.parquet', await speechParquet(rows.slice(0, 3), 5)],
  ])
  return startDatasetHub({ repo: REPO, files, ...(token && { token }) })
}

describe('openDataset of the hub', () => {
  it('reads footers first, then row groups by ranges, at a commit; the token goes to the hub alone', async () => {
    const hub = await libriSpeech('hf_secret')
    const dataset = await openDataset('librispeech-other', await options(hub, { token: 'hf_secret' }))
    expect(dataset).toMatchObject({ name: 'librispeech-other', count: 30, of: 30, language: 'en' })
    expect(dataset.normalizer).toBe('whisper-english')
    expect(dataset.source).toEqual({
      kind: 'hub',
      repo: REPO,
      config: 'all',
      split: 'test.other',
      revision: COMMIT,
      ...{ audio_column: 'audio', text_column: 'text' },
    })
    const footers = hub.bytesSent()
    expect(dataset.download).toBeGreaterThan(4 * footers)
    const utterances = await collect(dataset)
    const wanted = await bundledRows(30)
    expect(utterances.map(({ id, text, row }) => ({ id, text, row }))).toEqual(
      wanted.map(({ id, text }, row) => ({ id, text, row })),
    )
    expect(utterances[8]?.speaker).toBe('101')
    for (const [i, { path }] of utterances.entries()) {
      const original = await readFile(join(BUNDLED_SPEECH, wanted[i]?.file ?? ''))
      expect((await readFile(path ?? '')).equals(original)).toBe(true)
    }
    expect((hub.bytesSent() - footers) / dataset.download).toBeCloseTo(1, 2)
    expect(hub.authorizations.hub).toEqual(new Set(['Bearer hf_secret']))
    expect(hub.authorizations.storage).toEqual(new Set(['']))
    expect(hub.requests.filter((request) => request.includes('/tree/')).length).toBeGreaterThanOrEqual(2) // pages
    expect(hub.requests.some((request) => request.includes('test.clean'))).toBe(false)
    expect(hub.stored.every((request) => /bytes=\d+-\d+$/.test(request))).toBe(true)
  })

  it('fetches only row groups that are wanted, and none that is in the cache', async () => {
    const hub = await libriSpeech()
    const first = await options(hub, { selection: { sample: 'first', count: 7, seed: 1 } })
    const dataset = await openDataset('librispeech-other', first)
    const before = hub.bytesSent()
    const some = await collect(dataset, (key) => dataset.keys.indexOf(key) < 4)
    expect(some.map(({ row }) => row)).toEqual([0, 1, 2, 3])
    expect(hub.bytesSent() - before).toBeLessThan(dataset.download)
    await collect(dataset)
    expect((hub.bytesSent() - before) / dataset.download).toBeCloseTo(1, 2)
    const again = await openDataset('librispeech-other', first)
    expect(again.download).toBe(0)
    const footers = hub.bytesSent()
    expect((await collect(again)).map(({ key }) => key)).toEqual(dataset.keys)
    expect(hub.bytesSent()).toBe(footers)
  })

  it.each<[string, Fault]>([
    ['429 with Retry-After', { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
    [
      "429 with the hub's RateLimit",
      { kind: 'status', status: 429, headers: { ratelimit: '"api";r=0;t=0' } },
    ],
    ['500', { kind: 'status', status: 500 }],
    ['503', { kind: 'status', status: 503 }],
    ['a reset in the middle', { kind: 'reset' }],
    ['a body that ends early', { kind: 'truncate' }],
    ['silence', { kind: 'stall' }],
  ])('continues after %s', async (_what, fault) => {
    const hub = await libriSpeech()
    hub.faults.push(fault)
    const dataset = await openDataset('librispeech-other', await options(hub))
    hub.faults.push(fault, fault)
    const utterances = await collect(dataset)
    expect(utterances.length).toBe(30)
    expect(hub.faults).toEqual([])
    const hash = createHash('sha256')
    for (const { path } of utterances) hash.update(await readFile(path ?? ''))
    const originals = createHash('sha256')
    for (const { file } of await bundledRows(30)) originals.update(await readFile(join(BUNDLED_SPEECH, file)))
    expect(hash.digest('hex')).toBe(originals.digest('hex'))
  })

  it('waits for a slow storage as long as something comes', async () => {
    const hub = await libriSpeech()
    const dataset = await openDataset('librispeech-other', await options(hub))
    hub.faults.push({ kind: 'slow' })
    const sent = hub.bytesSent()
    expect((await collect(dataset)).length).toBe(30)
    expect((hub.bytesSent() - sent) / dataset.download).toBeCloseTo(1, 2) // nothing was asked for twice
  })

  it('does not take the token where a link of the hub leads', async () => {
    const rows = await bundledRows(6)
    const files = new Map<string, Uint8Array>()
    for (let i = 0; i < 3; i++)
      files.set(`all/test.other/000${i}.parquet`, await speechParquet(rows.slice(2 * i, 2 * i + 2), 5))
    const hub = await startDatasetHub({ repo: REPO, files, token: 'hf_secret', strayPages: true })
    const opening = options(hub, { token: 'hf_secret' }).then((o) => openDataset('librispeech-other', o))
    await expect(opening).rejects.toThrow()
    expect(hub.stored.length).toBeGreaterThan(0)
    expect(hub.authorizations.storage).toEqual(new Set(['']))
  })

  it('takes other columns for other utterances, though the cache is warm', async () => {
    const hub = await libriSpeech()
    const base = await options(hub)
    const texts = await collect(await openDataset('librispeech-other', base))
    const files = await openDataset('librispeech-other', { ...base, textColumn: 'file' })
    const names = await collect(files)
    expect(names.map(({ text }) => text)).toEqual((await bundledRows(30)).map(({ file }) => file))
    expect(names.map(({ key }) => key)).not.toEqual(texts.map(({ key }) => key))
    expect(files.source).toMatchObject({ text_column: 'file' })
  })

  it('gets a new address from the hub when the old one expires', async () => {
    const hub = await libriSpeech()
    const dataset = await openDataset('librispeech-other', await options(hub))
    hub.expire()
    expect((await collect(dataset)).length).toBe(30)
    expect(hub.requests.filter((request) => request.includes('/resolve/')).length).toBe(4)
  })

  it.each<[string, Fault, string | RegExp]>([
    ['ignores the range', { kind: 'whole-file' }, 'with status 200, wanted 206'],
    ['sends another range', { kind: 'wrong-range' }, /with range bytes \d+-\d+\/\d+, wanted bytes/],
  ])('refuses a storage that %s', async (_what, fault, message) => {
    const hub = await libriSpeech()
    hub.faults.push(fault)
    await expect(options(hub).then((o) => openDataset('librispeech-other', o))).rejects.toThrow(message)
  })

  it('gives up after six attempts, naming the address without its secret', async () => {
    const hub = await libriSpeech()
    hub.faults.push(...Array.from({ length: 20 }, () => ({ kind: 'status', status: 502 }) as const))
    const failed = options(hub).then((o) => openDataset('librispeech-other', o))
    await expect(failed).rejects.toThrow(
      /^http:\/\/localhost:\d+\/all%2Ftest\.other%2F000\d\.parquet answers 502/,
    )
    await expect(failed).rejects.toMatchObject({ message: expect.not.stringContaining('secret') })
  })

  it("reads the hub's conversion of a dataset that is not parquet itself, and says when it is only a part", async () => {
    const rows = await bundledRows(4)
    const files = new Map([
      ['audio/sdm/a.tar.gz', Buffer.from('x')],
      ['converted/sdm/partial-test/0000.parquet', await speechParquet(rows, 2)],
    ])
    const hub = await startDatasetHub({ repo: 'edinburghcstr/ami', files })
    const dataset = await openDataset('ami-sdm', await options(hub))
    expect(dataset.source).toMatchObject({ partial: 1 })
    expect((await collect(dataset)).map(({ id }) => id)).toEqual(rows.map(({ id }) => id))
  })

  it.each([
    ['hub:nobody/nothing/all/test', 'The hub has no dataset nobody/nothing at main, or you may not read it'],
    ['hub:openslr/librispeech_asr/all/dev', 'has no parquet files of config all, split dev.'],
    ['hub:librispeech', 'names no dataset on the hub, wanted hub:owner/name/config/split.'],
    ['librispeech-oter', 'There is no dataset named librispeech-oter, and no folder.'],
    ['./nowhere', './nowhere does not exist.'],
    ['./nowhere.parquet', './nowhere.parquet does not exist.'],
  ])('names what is wrong with %s', async (text, message) => {
    const hub = await libriSpeech()
    await expect(options(hub).then((o) => openDataset(text, o))).rejects.toThrow(message)
  })

  it('lists the columns when the wanted one is not there', async () => {
    const hub = await libriSpeech()
    const wrong = options(hub, { textColumn: 'words' }).then((o) => openDataset('librispeech-other', o))
    await expect(wrong).rejects.toThrow(
      'has no column words for text; it has file, audio, text, speaker_id, chapter_id, id.',
    )
  })
})

describe('openDataset of files', () => {
  it('reads a parquet file; a row without audio is an utterance with a problem', async () => {
    const folder = await temporaryFolder()
    const rows = (await bundledRows(4)).map((row, i) => (i === 2 ? { ...row, file: '' } : row))
    await writeFile(join(folder, 'clips.parquet'), await speechParquet(rows, 2))
    const hub = await libriSpeech()
    const dataset = await openDataset(join(folder, 'clips.parquet'), await options(hub))
    expect(dataset).toMatchObject({ name: 'clips', count: 4 })
    expect([dataset.language, dataset.normalizer]).toEqual([undefined, undefined])
    expect((await collect(dataset)).map(({ id, problem }) => ({ id, problem }))).toEqual(
      rows.map(({ id }, i) => ({
        id,
        problem: i === 2 ? 'The dataset has no audio in this row.' : undefined,
      })),
    )
    await writeFile(join(folder, 'clips.parquet'), 'PAR1 no')
    await expect(options(hub).then((o) => openDataset(join(folder, 'clips.parquet'), o))).rejects.toThrow(
      'clips.parquet is not a parquet file: it has 7 bytes.',
    )
  })

  it('reads folders by manifest.jsonl, manifest.csv, or a text beside each recording', async () => {
    const rows = await bundledRows(3)
    const root = await temporaryFolder()
    const open = async (name: string, files: Readonly<Record<string, string>>) => {
      const folder = join(root, name)
      await mkdir(folder)
      for (const { file } of rows) await cp(join(BUNDLED_SPEECH, file), join(folder, file))
      for (const [file, text] of Object.entries(files)) await writeFile(join(folder, file), text)
      const dataset = await openDataset(folder, { selection: ALL, cache: root })
      return (await collect(dataset)).map(({ id, text, speaker, problem }) => ({
        id,
        text,
        speaker,
        problem,
      }))
    }
    const [a, b, c] = rows.map(({ file }) => file)
    const plain = { speaker: undefined, problem: undefined }
    expect(
      await open('jsonl', {
        'manifest.jsonl': `{"file":"${a}","text":"one","speaker":7}\n\n{"audio_filepath":"${b}","id":"x","text":"two"}\n{"file":"${c}","text":null}\n`,
      }),
    ).toEqual([
      { id: a, text: 'one', speaker: '7', problem: undefined },
      { id: 'x', text: 'two', ...plain },
    ])
    expect(
      await open('csv', { 'manifest.csv': `path,sentence\n${a},"one, ""two"""\ngone.wav,three\n` }),
    ).toEqual([
      { id: a, text: 'one, "two"', ...plain },
      {
        id: 'gone.wav',
        text: 'three',
        speaker: undefined,
        problem: expect.stringContaining('gone.wav does not exist'),
      },
    ])
    const here = join(root, 'csv', a ?? '')
    expect(
      await open('absolute', { 'manifest.jsonl': `\ufeff{"audio_filepath":"${here}","text":"one"}` }),
    ).toEqual([{ id: here, text: 'one', ...plain }])
    await expect(open('gone', { 'manifest.jsonl': '{"file":"x.wav","text":"one"}' })).rejects.toThrow(
      /None of the 1 recordings that .* lists can be read: .*x\.wav does not exist\./,
    )
    const beside = {
      [`${b?.replace('.flac', '')}.txt`]: ' two \n',
      [`${a?.replace('.flac', '')}.txt`]: 'one',
    }
    expect(await open('txt', beside)).toEqual([
      { id: a, text: 'one', ...plain },
      { id: b, text: 'two', ...plain },
    ])
    await expect(
      open('twice', { 'manifest.jsonl': `{"file":"${a}","text":"1"}\n{"file":"${a}","text":"2"}` }),
    ).rejects.toThrow(`lists ${a} twice`)
    await expect(open('bad', { 'manifest.jsonl': '{"file": 3}' })).rejects.toThrow(
      'manifest.jsonl, line 1: "file" is a number (3), wanted the name of a recording.',
    )
    await expect(open('none', {})).rejects.toThrow('lists no recording with a transcript.')
    expect((await readdir(root)).length).toBe(8)
  })
})

describe('chooseRows', () => {
  const groups = Array.from({ length: 30 }, (_, i) => (i === 29 ? 39 : 100)) // test.other has 2,939 rows

  it('takes the first as they stand, or all', () => {
    expect(chooseRows(groups, { sample: 'first', count: 4, seed: 1 })).toEqual([0, 1, 2, 3])
    expect(chooseRows(groups, ALL).length).toBe(2939)
    expect(chooseRows([2, 1], { sample: 'seeded', count: 9, seed: 1 })).toEqual([0, 1, 2])
  })

  it('chooses hundreds of thousands', () => {
    const rows = chooseRows(new Array<number>(400_000).fill(1), { sample: 'seeded', count: 300_000, seed: 1 })
    expect(new Set(rows).size).toBe(300_000)
  })

  it('takes a seeded choice of few groups, about as many rows of each, the same every time', () => {
    const selection = { sample: 'seeded', count: 200, seed: 1 } as const
    const rows = chooseRows(groups, selection)
    expect(rows).toEqual(chooseRows(groups, selection))
    expect(rows).not.toEqual(chooseRows(groups, { ...selection, seed: 2 }))
    expect(new Set(rows).size).toBe(200)
    expect(rows).toEqual([...rows].sort((a, b) => a - b))
    const perGroup = new Map<number, number>()
    for (const row of rows)
      perGroup.set(Math.floor(row / 100), (perGroup.get(Math.floor(row / 100)) ?? 0) + 1)
    expect([...perGroup.values()].sort()).toEqual(Array.from({ length: 10 }, () => 20))
  })

  it('shards are parts of the same choice, none twice, none left out', () => {
    const selection = { sample: 'seeded', count: 50, seed: 3 } as const
    const parts = [1, 2, 3].map((index) => chooseRows(groups, { ...selection, shard: { index, of: 3 } }))
    expect(parts.flat()).toEqual(chooseRows(groups, selection))
    expect(parts.map((part) => part.length)).toEqual([16, 17, 17])
  })

  it('is uniform over rows when every row is a group of its own', () => {
    const taken = new Array<number>(20).fill(0)
    for (let seed = 0; seed < 400; seed++) {
      for (const row of chooseRows(new Array<number>(20).fill(1), { sample: 'seeded', count: 5, seed })) {
        taken[row] = (taken[row] ?? 0) + 1
      }
    }
    for (const count of taken) expect(Math.abs(count - 100)).toBeLessThan(40)
  })
})
