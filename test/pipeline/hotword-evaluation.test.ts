// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { folderDataset } from '../../eval/dataset/folder-dataset.ts'
import { readBiasingLists } from '../../eval/hotwords/biasing-lists.ts'
import type { UtteranceRecord } from '../../eval/record.ts'
import { textTables } from '../../eval/report/tables.ts'
import { readResults } from '../../eval/result-file.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import type { EvaluateOptions } from '../../pipeline/evaluate/evaluation-options.ts'
import { mergeParts } from '../../pipeline/evaluate/merge.ts'
import { type Evaluated, runEvaluation } from '../../pipeline/evaluate/run-evaluation.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { BUNDLED_HOTWORDS, bundledHotwords } from '../helpers/bundled-hotwords.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

const CLIPS = 6
const ALL = { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 1 } as const
/** So long that the tiny model, given it as a context, writes another text on silence. */
const WORDS = [
  'at',
  'bedroom',
  'büro',
  'close',
  'das',
  'drei',
  'kitchen',
  'küche',
  'licht',
  'minutes',
  'music',
  'my',
].concat(['now', 'off', 'schließe', 'set', 'stelle', 'stop', 'vier', 'wecker'])

let model = ''
beforeAll(async () => {
  model = join(await sharedReleases(), TINY_NAME)
})

/** A few bundled clips, silence, and a clip that has no list. */
async function speech(): Promise<{ readonly manifest: string; readonly lists: string }> {
  const folder = await temporaryFolder()
  const rows = (await bundledRows(CLIPS)).map(({ file, ...row }) => ({
    ...row,
    file: join(BUNDLED_SPEECH, file),
  }))
  const hiss = Float32Array.from({ length: 24_000 }, (_, i) => 1e-4 * Math.sin(i * i))
  await writeFile(join(folder, 'silence.wav'), encodeWav(hiss))
  const all = [...rows, { id: 'silence', file: 'silence.wav', text: '' }]
  const manifest = join(folder, 'clips.jsonl')
  await writeFile(manifest, all.map((row) => JSON.stringify(row)).join('\n'))
  const lists = join(folder, 'lists.tsv')
  const known = (await bundledHotwords()).slice(0, CLIPS - 1)
  await writeFile(lists, [...known, `silence\t\t[]\t${JSON.stringify(WORDS)}`].join('\n'))
  return { manifest, lists }
}

/** The release on clips, one thread. */
function evaluateClips(options: Partial<EvaluateOptions>, notes: string[]): Promise<Evaluated> {
  return runEvaluation(
    {
      ...{
        models: [{ name: 'fp32', folder: model, variant: '', provider: 'cpu' }],
        engines: [],
        datasets: [],
      },
      ...{ selection: ALL, keepEmpty: true },
      ...{ maxDownload: 0, prompt: 'published', maxPieceSeconds: 60, stopLoops: true, retry: false },
      ...{ engineTimeout: 60, threads: 1, workers: 1, batch: 1, isSteady: true },
      ...options,
    },
    {
      ...{ begin: () => {}, add: () => {}, finish: () => {}, close: () => {} },
      note: (text) => notes.push(text),
    },
    new AbortController().signal,
  )
}

describe('a release measured with lists of hotwords', () => {
  it('transcribes each clip without and with its list, and what is there already is not done again', async () => {
    const { manifest, lists } = await speech()
    const [output, cache] = [await temporaryFolder(), await temporaryFolder()]
    const notes: string[] = []
    const run = (more: Partial<EvaluateOptions>) =>
      evaluateClips({ datasets: [manifest], output, cache, ...more }, notes)
    const utterances = async () => {
      const records = await readResults(join(output, 'results.jsonl'))
      return records.filter((record): record is UtteranceRecord => record.kind === 'utterance')
    }
    await run({})
    const alone = await utterances()
    expect(alone.length).toBe(CLIPS + 1)
    const { report } = await run({ hotwords: lists })
    const records = await utterances()
    expect(records.slice(0, alone.length)).toEqual(alone)
    const listed = records.slice(alone.length)
    expect(listed.map(({ system, id }) => [system, id])).toEqual(
      alone.map(({ id }) => ['fp32 + hotwords', id]),
    )
    expect(listed.map(({ hotwords }) => hotwords !== undefined)).toEqual(
      listed.map(({ row }) => row !== CLIPS - 1),
    )

    const textOf = (found: readonly UtteranceRecord[], id: string) =>
      found.find((record) => record.id === id)?.text
    expect(textOf(listed, 'silence')).toBe(textOf(alone, 'silence'))
    const silent = listed.find(({ id }) => id === 'silence')
    expect(silent?.hotwords).toEqual({ rare: [], list: WORDS })
    expect(WORDS.filter((word) => silent?.text.toLowerCase().includes(word))).toEqual([])
    const last = alone[CLIPS - 1]?.id ?? ''
    expect(textOf(listed, last)).toBe(textOf(alone, last)) // it has no list
    expect(listed.map(({ text }) => text)).not.toEqual(alone.map(({ text }) => text)) // lists reach the model

    const rows = report.rows.filter(({ normalizer }) => normalizer === 'basic')
    expect(rows.map(({ system }) => system)).toEqual(['fp32', 'fp32 + hotwords'])
    for (const { hotwords } of rows) {
      expect(hotwords?.utterances).toBe(CLIPS)
      expect(hotwords?.wer.count).toBe((hotwords?.bWer.count ?? 0) + (hotwords?.uWer.count ?? 0))
      expect(hotwords?.bWer.of).toBeGreaterThan(3)
      expect(hotwords?.recall.of).toBe(hotwords?.bWer.of)
    }
    const [difference] = report.differences.filter(({ normalizer }) => normalizer === 'basic')
    const [without, with_] = rows.map(({ hotwords }) => hotwords?.bWer.rate ?? Number.NaN)
    expect(difference?.hotwords?.bWer.difference).toBeCloseTo((with_ ?? 0) - (without ?? 0), 12)
    expect(textTables(report).map(({ title }) => title)).toContain('Hotwords on clips')
    expect(await readFile(join(output, 'report.html'), 'utf8')).toContain('What lists of hotwords changed on')
    expect(notes.filter((note) => note.includes('another reference'))).toEqual([])

    const before = await readFile(join(output, 'results.jsonl'))
    await run({ hotwords: lists })
    expect((await readFile(join(output, 'results.jsonl'))).equals(before)).toBe(true)

    await writeFile(lists, 'x-1\tone\t[]\t["one"]\n')
    await expect(run({ hotwords: lists })).rejects.toThrow(
      `None of the ${CLIPS + 1} utterances has a list in ${lists}: their ids are such as held-out-000, those of the file such as x-1.`,
    )

    await expect(run({ hotwords: 'manifest' })).rejects.toThrow(
      'None of the utterances has a list in the column hotwords of a manifest.',
    )
    const [line = ''] = (await readFile(manifest, 'utf8')).split('\n')
    await writeFile(manifest, JSON.stringify({ ...JSON.parse(line), hotwords: ['seven', 'kitchen'] }))
    await run({ hotwords: 'manifest' })
    expect((await utterances()).at(-1)?.hotwords).toEqual({ rare: ['seven'], list: ['seven', 'kitchen'] })
  })
})

describe('parts of an evaluation with lists of hotwords', () => {
  it('merge to the figures of one run, and are refused where their lists differ', async () => {
    const { manifest, lists } = await speech()
    const [root, cache] = [await temporaryFolder(), await temporaryFolder()]
    const notes: string[] = []
    const run = (name: string, more: Partial<EvaluateOptions>) =>
      evaluateClips(
        { datasets: [manifest], hotwords: lists, output: join(root, name), cache, ...more },
        notes,
      )
    const part = (index: number, more: Partial<EvaluateOptions> = {}) =>
      run(`part-${index}`, { selection: { ...ALL, shard: { index, of: 2 } }, ...more })
    const merge = () => mergeParts([join(root, 'part-2'), join(root, 'part-1')], join(root, 'merged'))
    const whole = await run('whole', {})
    await part(1)
    await part(2)
    expect(findings(await merge())).toEqual(findings(whole))
    expect(await untimed(join(root, 'merged'))).toEqual(await untimed(join(root, 'whole')))
    expect(notes.filter((note) => note.includes('has a list in'))).toEqual([])

    const few = join(root, 'few.tsv')
    const [first = ''] = (await readFile(lists, 'utf8')).split('\n')
    await writeFile(few, first)
    await part(2, { hotwords: few })
    expect(notes).toContain(
      `None of the utterances of this part has a list in ${few}. Check its ids, unless lists are few.`,
    )
    await expect(merge()).rejects.toThrow(
      /part-2 is part of another evaluation than .*part-1: its lists of hotwords are few\.tsv \(\w{16}\), wanted lists\.tsv \(\w{16}\)\./,
    )
    await part(1, { hotwords: few })
    const { report } = await merge()
    expect(report.rows[1]?.hotwords?.utterances).toBe(1)

    for (const name of ['part-1', 'part-2']) {
      const path = join(root, name, 'results.jsonl')
      const records = (await readResults(path)).map((record) => ({ ...record, hotwords: undefined }))
      await writeFile(path, records.map((record) => JSON.stringify(record)).join('\n'))
    }
    await expect(merge()).rejects.toThrow('None of the utterances has a list in few.tsv.')
  })

  it('are of one manifest, which is known by the lists in it', async () => {
    const folder = await temporaryFolder()
    const sourceOf = async (...hotwords: readonly string[]) => {
      const rows = (await bundledRows(2)).map((row, i) => ({
        ...{ ...row, file: join(BUNDLED_SPEECH, row.file) },
        ...(i === 1 && { hotwords }),
      }))
      await writeFile(join(folder, 'clips.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
      const selection = { ...ALL, shard: { index: 1, of: 2 } }
      return (await folderDataset(join(folder, 'clips.jsonl'), selection, { cache: folder })).source
    }
    const source = await sourceOf('seven', 'kitchen')
    expect(source).toEqual({ kind: 'folder', hotwords: expect.stringMatching(/^\w{16}$/) })
    expect(await sourceOf('seven', 'kitchen')).toEqual(source)
    expect(await sourceOf('seven', 'bedroom')).not.toEqual(source)
  })
})

/** Without what depends on the moment. */
function findings({ report: { run, rows, differences } }: Evaluated) {
  return { run, differences, rows: rows.map(({ speed: _, ...row }) => row) }
}

async function untimed(folder: string) {
  const records = await readResults(join(folder, 'results.jsonl'))
  return records.flatMap((record) => {
    if (record.kind !== 'utterance') return []
    const { compute: _, timing: __, pieces, ...others } = record
    return [{ ...others, pieces: pieces.length }]
  })
}

describe('the lists of the bundled recordings', () => {
  it('are what their recipe makes, with 20 words that the recording does not have', async () => {
    expect(await readFile(BUNDLED_HOTWORDS, 'utf8')).toBe(`${(await bundledHotwords()).join('\n')}\n`)
    const { rows } = await readBiasingLists(BUNDLED_HOTWORDS)
    expect([...rows.keys()]).toEqual((await bundledRows(1000)).map(({ id }) => id))
    for (const { rare, list, text } of rows.values()) {
      expect(list.length).toBe(rare.length + 20)
      const said: readonly string[] = text.toLowerCase().match(/[\p{L}']+/gu) ?? []
      expect(list.filter((word) => said.includes(word))).toEqual(rare)
    }
  })
})
