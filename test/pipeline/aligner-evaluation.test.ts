// SPDX-License-Identifier: Apache-2.0

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Dataset, Utterance } from '../../eval/dataset/utterance.ts'
import { evaluate } from '../../eval/evaluation.ts'
import { describeMachine } from '../../eval/machine.ts'
import type { UtteranceRecord } from '../../eval/record.ts'
import { releaseSystem } from '../../eval/release-system.ts'
import { openResults } from '../../eval/result-file.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import type { Row } from '../../eval/summary.ts'
import { run as runCommand } from '../../pipeline/commands/evaluate-command.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { verdictOf } from '../../pipeline/release/gate-result.ts'
import type { Event } from '../../pipeline/shared/events.ts'
import { pathsOf } from '../../pipeline/shared/paths.ts'
import { evaluateStage } from '../../pipeline/stages/evaluate-stage.ts'
import { evaluationView } from '../../pipeline/stages/evaluation-view.ts'
import type { Run } from '../../pipeline/stages/stage.ts'
import { sharedAligner, sharedReleases } from '../helpers/prepared.ts'
import { type BundledRow, bundledRows } from '../helpers/speech-parquet.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

const CLIPS = 4

let aligner = ''
let root = ''
let speech = ''

beforeAll(async () => {
  aligner = (await sharedAligner()).folder
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-aligner-'))
  speech = join(root, 'clips')
  const rows = await bundledRows(CLIPS)
  for (const { file } of rows) await cp(join(BUNDLED_SPEECH, file), join(speech, file))
  await writeFile(join(speech, 'manifest.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
})

afterAll(() => rm(root, { recursive: true, force: true }))

/** The command, in this process. */
async function command(...args: readonly string[]) {
  const [out, err]: [string[], string[]] = [[], []]
  const taken = (to: string[]) => (chunk: string | Uint8Array) => to.push(String(chunk)) > 0
  vi.spyOn(process.stdout, 'write').mockImplementation(taken(out))
  vi.spyOn(process.stderr, 'write').mockImplementation(taken(err))
  const exitCode = await runCommand(args)
  vi.restoreAllMocks()
  return { exitCode, stdout: out.join(''), stderr: err.join('') }
}

const run = (output: string, ...args: readonly string[]) =>
  command(...args, '--output', join(root, output), '--cache', join(root, 'cache'), '--threads', '1')

async function recordsOf(output: string): Promise<UtteranceRecord[]> {
  const lines = (await readFile(join(root, output, 'results.jsonl'), 'utf8')).trim().split('\n')
  return lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === 'utterance')
}

describe('npm run evaluate with a forced aligner', () => {
  const models = async () => [
    '--models',
    `asr:${join(await sharedReleases(), TINY_NAME)}:int4`,
    ...['fp32', 'int4'].map((variant) => `al ${variant}:${aligner}:${variant}`),
  ]

  it('scores its times beside those of a recognizer, and never its text', async () => {
    const ended = await run('both', ...(await models()), '--datasets', speech)
    expect(ended.stderr).not.toContain('error:')
    expect(ended.exitCode).toBe(0)
    expect(ended.stderr).toMatch(/\nal fp32: 4 of 4 · RTF 0\.\d+ · /)
    const { stdout } = ended
    const tableOf = (title: string) => stdout.split(`${title} on clips`)[1]?.split('\n\n')[0] ?? ''
    const namesIn = (title: string) => tableOf(title).match(/^ {2}(?:asr|al \w+)/gm)
    expect(namesIn('WER')).toEqual(['  asr'])
    expect(namesIn('Speed')).toEqual(['  asr', '  al fp32', '  al int4'])
    expect(namesIn('Times of words')).toEqual(['  asr', '  al fp32', '  al int4'])
    const against = (name: string) =>
      stdout
        .split(`against those of ${name}:`)[1]
        ?.split('\n\n')[0]
        ?.match(/^ {2}(?:asr|al \w+)/gm)
    expect([against('al fp32'), against('al int4')]).toEqual([['  asr', '  al int4'], ['  asr']])
    expect(stdout).toContain('al fp32: given the reference, of which it finds the times')
    expect(stdout).not.toMatch(/al \w+ (is|cannot)/)

    const records = (await recordsOf('both')).filter(({ system }) => system === 'al int4')
    expect(records).toHaveLength(CLIPS)
    for (const { text, words = [], reference, timing, compute, pieces, samples } of records) {
      expect({ text, pieces }).toEqual({ text: '', pieces: [] })
      expect(words.map((word) => word.text).join(' ')).toBe(reference)
      expect(samples).toMatch(/^[0-9a-f]{64}$/)
      const { mel = 0, encoder = 0, prefill = 0 } = timing ?? {}
      expect(Math.min(mel, encoder, prefill)).toBeGreaterThan(0)
      expect(mel + encoder + prefill).toBeCloseTo(compute, 9)
    }
    const csv = await readFile(join(root, 'both', 'results.csv'), 'utf8')
    const rows = parse(csv, { columns: true }) as Record<string, string>[]
    const own = rows.find((row) => row['system'] === 'al int4') ?? {}
    expect(own).toMatchObject({ wer: '', words: '', tokens: '', problems: '0', time_utterances: '4' })
    for (const name of ['load_seconds', 'peak_memory_bytes', 'package_bytes'])
      expect(Number(own[name])).toBeGreaterThan(0)
  })

  it('measures nothing again, and puts parts together as one run', async () => {
    const again = await run('both', ...(await models()), '--datasets', speech)
    expect(again.stderr).not.toContain('Loading')
    const own = ['--models', `al:${aligner}:fp32`, '--datasets', speech]
    for (const part of ['1', '2'])
      expect((await run(`part-${part}`, ...own, '--shard', `${part}/2`)).exitCode).toBe(0)
    const parts = ['1', '2'].map((part) => join(root, `part-${part}`))
    const merged = await command('merge', ...parts, '--output', join(root, 'whole'))
    expect(merged.exitCode).toBe(0)
    const wordsOf = async (output: string, name: string) =>
      (await recordsOf(output)).filter(({ system }) => system === name).map(({ id, words }) => [id, words])
    expect(await wordsOf('whole', 'al')).toEqual(await wordsOf('both', 'al fp32'))
  })

  it('refuses a language that it does not support, and lists, before anything is measured', async () => {
    const args = ['--models', `al:${aligner}`, '--datasets', speech, '--language', 'Thai']
    const ended = await run('thai', ...args)
    expect(ended.exitCode).toBe(1)
    expect(ended.stderr).toMatch(/^error: The aligner does not support Thai\.\n/m)
    expect(ended.stderr).not.toContain('Loading')
    const lists = await run('lists', ...args.slice(0, 4), '--hotwords', 'manifest')
    expect(lists.exitCode).toBe(2)
    expect(lists.stderr).toMatch(/^error: Found --hotwords without a recognizer among --models: /m)
  })
})

describe('utterances that cannot be aligned', () => {
  const utterance = { path: '', text: 'One two.', row: 0 }
  const datasetOf = (utterances: readonly Utterance[], language?: Dataset['language']): Dataset => ({
    ...{ name: language ?? 'odd', source: { kind: 'folder' }, leftOut: 0, download: 0 },
    ...{ count: utterances.length, of: utterances.length, keys: utterances.map(({ key }) => key) },
    ...(language && { language }),
    audioPath: () => undefined,
    async *utterances(isWanted) {
      yield* utterances.filter(({ key }) => isWanted(key))
    },
  })

  it('are problems of their own, by name; a known language is that of the text', async () => {
    const long = join(root, 'long.wav')
    await writeFile(long, encodeWav(new Float32Array(181 * 16_000)))
    const short = join(root, 'short.wav')
    await writeFile(short, encodeWav(new Float32Array(16_000)))
    const clip = (id: string, more: Partial<Utterance>) => ({
      ...utterance,
      id,
      key: id,
      path: short,
      ...more,
    })
    const odd = datasetOf([
      clip('fine', {}),
      clip('no text', { text: '' }),
      clip('punctuation', { text: '...' }),
      clip('too long', { path: long }),
      clip('no file', { path: join(root, 'nowhere.wav') }),
    ])
    const system = await releaseSystem({
      ...{ name: 'al', folder: aligner, variant: 'fp32', bytes: 1, fingerprint: 'x', provider: 'cpu' },
      ...{ threads: 1, workers: 2, batch: 1, isSteady: true, options: {} },
    })
    const results = await openResults(join(root, 'odd.jsonl'))
    const languages = [
      datasetOf([clip('hindi', {})], 'hi'),
      datasetOf([clip('japanese', { text: '今日は天気がいいです' })], 'ja'),
      datasetOf([clip('chinese', { text: '今日は天気がいいです' })], 'zh'),
    ]
    const { signal } = new AbortController()
    const options = { machine: describeMachine(1, 2), signal }
    for await (const _ of evaluate([system], [odd, ...languages], results, options));
    const found = results.records.filter((record) => record.kind === 'utterance')
    const problems = Object.fromEntries(found.map(({ id, problem }) => [id, problem]))
    expect(problems).toEqual({
      fine: undefined,
      'no text': 'Its reference has no words to align.',
      punctuation: 'Its reference has no words to align.',
      'too long':
        'The recording has more than 20.08 s, wanted at most 20.08 s, which the aligner can process in one pass.',
      'no file': expect.stringMatching(/not exist|missing|no such/i),
      hindi: 'The aligner does not support Hindi.',
      japanese: undefined,
      chinese: undefined,
    })
    const wordsOf = (name: string) => found.find(({ id }) => id === name)?.words?.map(({ text }) => text)
    expect(wordsOf('japanese')).toContain('天気')
    expect(wordsOf('chinese')).toContain('天')
  })
})

describe("the pipeline's stage evaluate, of a forced aligner", () => {
  const noteIn = (events: readonly Event[]) =>
    events.flatMap((event) => (event.event === 'note' ? [event.text] : []))

  /** The stage and what it shows, on a copy of the shared release. */
  async function stageOn(name: string, speechFolder: string, variants = ['fp32', 'int4']) {
    await cp(aligner, join(root, name), { recursive: true, filter: (path) => !path.includes('.work') })
    const events: Event[] = []
    const run = {
      options: {
        ...{ family: 'aligner', speech: speechFolder, variants, providers: ['cpu'] },
        ...{ threads: 1, force: false },
      },
      ...{ name, known: { maxTimeError: 0.001 }, paths: pathsOf(root, name) },
      emit: (event: Event) => events.push(event),
      signal: new AbortController().signal,
    } as unknown as Run
    await evaluateStage.run(run)
    const report = JSON.parse(await readFile(join(root, name, 'report.json'), 'utf8'))
    return { run, events, section: report.evaluation }
  }

  it('judges the times of each variant, shows them, and keeps them in report.json', async () => {
    const { run, events, section } = await stageOn('timed', speech)
    await evaluationView.show(run)
    expect(section.gates).toMatchObject([
      {
        gate: 'time error',
        variant: 'fp32',
        layout: 'aligner',
        unit: 'milliseconds',
        limit: null,
        pass: true,
      },
      { gate: 'added time error', variant: 'int4', prefill: 'int8', limit: 10 },
    ])
    const [fp32, int4] = section.variants.map(({ summary }: { summary: Row }) => summary)
    expect(section.gates[0].found).toBeCloseTo(1000 * fp32.times.all.mean, 6)
    expect(section.gates[1].found).toBeCloseTo(1000 * (int4.times.all.mean - fp32.times.all.mean), 6)
    expect(section).toMatchObject({ speech, isBundledSpeech: false, verdict: verdictOf(section.gates) })
    expect(section.variants[0].utterances[0]).toMatchObject({
      words: expect.anything(),
      times: { errors: {} },
    })
    expect(section.variants[0].utterances[0]).not.toHaveProperty('errors')
    const titles = events.flatMap((event) => (event.event === 'table' ? [event.title] : []))
    expect(titles.map((title) => title.split(' on ')[0])).toEqual([
      'Speed',
      'Times of words',
      'Times of words',
    ])
    expect(events).toContainEqual(
      expect.objectContaining({ event: 'progress', what: 'times fp32', total: CLIPS }),
    )
    expect(await readFile(join(root, 'timed', 'evaluation.html'), 'utf8')).toContain('Times of words on')
    const checked = evaluateStage.check?.(run)
    if (section.verdict === 'pass') await checked
    else
      await expect(checked).rejects.toThrow(
        /^The gate of times failed: added time error of int4 is \d+\.\d ms, wanted at most 10 ms\.$/,
      )
  })

  it('gates nothing on speech without times, and says so', async () => {
    const untimed = join(root, 'untimed')
    await cp(speech, untimed, { recursive: true })
    const rows = (await bundledRows(2)).map(({ words: _, ...row }: BundledRow & { words?: object }) => row)
    await writeFile(join(untimed, 'manifest.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
    const { run, events, section } = await stageOn('mute', untimed, ['fp32'])
    expect(section).toMatchObject({ verdict: 'pass', gates: [] })
    await evaluateStage.check?.(run)
    expect(noteIn(events)[0]).toMatch(/^The speech has no times of words: only speed was measured, /)
    expect(section.variants.map(({ summary }: { summary: Row }) => 'times' in summary)).toEqual([false])
  })
})
