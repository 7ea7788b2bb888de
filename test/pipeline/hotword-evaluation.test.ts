import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { readBiasingLists } from '../../eval/hotwords/biasing-lists.ts'
import type { UtteranceRecord } from '../../eval/record.ts'
import { textTables } from '../../eval/report/tables.ts'
import { readResults } from '../../eval/result-file.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import type { EvaluateOptions } from '../../pipeline/evaluate/evaluation-options.ts'
import { type Evaluated, runEvaluation } from '../../pipeline/evaluate/run-evaluation.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { BUNDLED_HOTWORDS, bundledHotwords } from '../helpers/bundled-hotwords.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

const CLIPS = 6
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

describe('a release measured with lists of hotwords', () => {
  it('transcribes each clip without and with its list, and what is there already is not done again', async () => {
    const { manifest, lists } = await speech()
    const [output, cache] = [await temporaryFolder(), await temporaryFolder()]
    const notes: string[] = []
    const run = (more: Partial<EvaluateOptions>): Promise<Evaluated> =>
      runEvaluation(
        {
          ...{ models: [{ name: 'fp32', folder: model, variant: '' }], engines: [], datasets: [manifest] },
          ...{ selection: { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 1 }, keepEmpty: true },
          ...{ maxDownload: 0, prompt: 'published', maxPieceSeconds: 60, stopLoops: true, retry: false },
          ...{ engineTimeout: 60, threads: 1, provider: 'cpu', workers: 1, batch: 1, isSteady: true },
          ...{ output, cache, ...more },
        },
        {
          ...{ begin: () => {}, add: () => {}, finish: () => {}, close: () => {} },
          note: (text) => notes.push(text),
        },
        new AbortController().signal,
      )
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
