// SPDX-License-Identifier: Apache-2.0

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startPool } from '../../eval/pool.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { startWorker } from '../../eval/runtime/worker-client.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { startBrowser } from '../helpers/browser.ts'
import { type Ended, runCli, startCli } from '../helpers/cli.ts'
import { builtModule } from '../helpers/commands.ts'
import { startDatasetHub } from '../helpers/dataset-hub.ts'
import { eventsOf } from '../helpers/events.ts'
import { convert, ffmpegPath } from '../helpers/ffmpeg.ts'
import { type BundledRow, bundledRows, speechParquet } from '../helpers/speech-parquet.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

const MAIN = 'evaluate'
const REPO = 'openslr/librispeech_asr'
const CLIPS = 24

let root = ''
let model = ''
const path = (name: string) => join(root, name)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-evaluate-'))
  model = await copyTinyRelease(root)
})

afterAll(() => rm(root, { recursive: true, force: true }))

const evaluate = (args: readonly string[], env: Record<string, string | undefined> = {}): Promise<Ended> =>
  runCli([...args, '--cache', path('cache'), '--threads', '1'], env, MAIN)

const both = () => ['--models', `FP32:${model}`, `int4:${model}:int4`]

async function json(...names: readonly string[]) {
  return JSON.parse(await readFile(join(root, ...names), 'utf8'))
}

async function lines(output: string, kind = 'utterance') {
  const text = await readFile(join(root, output, 'results.jsonl'), 'utf8')
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((record) => record.kind === kind)
}

/** What a run found, without what depends on the moment. */
async function findings(output: string) {
  const { rows, differences, datasets } = await json(output, 'report.json')
  return { datasets, differences, rows: rows.map(({ speed: _, ...row }: { speed: unknown }) => row) }
}

async function folderOf(name: string, rows: readonly BundledRow[]): Promise<string> {
  await mkdir(path(name))
  for (const { file } of rows) await cp(join(BUNDLED_SPEECH, file), join(path(name), file))
  await writeFile(join(path(name), 'manifest.jsonl'), rows.map((row) => JSON.stringify(row)).join('\n'))
  return path(name)
}

describe('npm run evaluate', () => {
  it('streams a test set from the hub through faults, measures both variants, and never measures again', async () => {
    const rows = await bundledRows(CLIPS)
    const files = new Map([
      ['all/test.other/0000.parquet', await speechParquet(rows.slice(0, 12), 6)],
      ['all/test.other/0001.parquet', await speechParquet(rows.slice(12), 6)],
    ])
    const hub = await startDatasetHub({ repo: REPO, files, token: 'hf_secret' })
    hub.faults.push({ kind: 'reset' }, { kind: 'status', status: 503 }, { kind: 'truncate' })
    const env = { HF_ENDPOINT: hub.url, HF_TOKEN: 'hf_secret' }
    const args = [...both(), '--datasets', 'librispeech-other', '--output', path('streamed')]
    const ended = await evaluate(args, env)
    expect(ended.stderr).not.toContain('error:')
    expect(ended.exitCode).toBe(0)
    expect(ended.stderr).toMatch(/librispeech-other: 24 of 24 utterances, \d+ kB to fetch|MB to fetch/)
    expect(ended.stderr).toContain('; asking again')
    expect(ended.stderr).toMatch(/FP32: 24 of 24 · WER \d\.\d\d % · RTF 0\.\d+ · \d+ a minute · in /)
    expect(ended.stdout).toContain('WER on librispeech-other (all 24 utterances, normalizer whisper-english)')
    expect(ended.stdout).toMatch(
      /FP32 +\d\.\d\d % +\d\.\d\d % to \d+\.\d\d % +\d+ +\d+ +\d+ +\d+ +\d\.\d\d %/,
    )
    expect(ended.stdout).toMatch(
      /librispeech-other: int4 (cannot be distinguished from|is (worse|better) than) FP32: [+-]/,
    )
    expect(ended.stdout).toMatch(/48 results on .*: 1 thread, onnxruntime 1\.30\.0 cpu, Node/)
    expect(ended.stdout).toContain(
      'int4: fused layout, one utterance at a time, prompts in 8 bits, steps of an even number of rows',
    )
    expect(ended.stdout + ended.stderr).not.toContain('secret')

    const { rows: figures, machines, systems } = await json('streamed', 'report.json')
    expect(figures.length).toBe(6) // two variants, three normalizers
    for (const row of figures) {
      const { hits, substitutions, deletions, insertions, words } = row.errors
      expect(row.wer).toBe((substitutions + deletions + insertions) / words)
      expect(hits + substitutions + deletions).toBe(words)
      expect(row.wer).toBeLessThan(0.1) // one word of 120 is 0.8 %
      expect(row.werInterval.low).toBeLessThanOrEqual(row.wer)
      expect(row.werInterval.high).toBeGreaterThanOrEqual(row.wer)
      expect(
        row.speed.timing.mel * row.speed.timing.encoder * row.speed.timing.prefill * row.speed.timing.decode,
      ).toBeGreaterThan(0)
      expect(row.speed.firstToken.p50).toBeLessThan(row.speed.latency.p50)
      expect(row.speed.latency.p50).toBeLessThanOrEqual(row.speed.latency.p99)
    }
    expect(machines[0].machine).toMatchObject({ threads: 1, workers: 1, onnxruntime: '1.30.0' })
    for (const system of systems) {
      expect(system.bytes).toBeGreaterThan(3e6)
      expect(system.loadSeconds).toBeGreaterThan(0)
      expect(system.peakMemory).toBeGreaterThan(50e6)
    }
    const csv = (await readFile(path('streamed/results.csv'), 'utf8')).trim().split('\n')
    expect(csv.length).toBe(7)
    expect(csv[0]).toMatch(/^dataset,system,normalizer,utterances,wer,wer_low,wer_high,words,hits,/)
    expect((await lines('streamed')).map(({ id }) => id).sort()).toEqual(
      [...rows, ...rows].map(({ id }) => id).sort(),
    )

    const before = await readFile(path('streamed/results.jsonl'))
    const sent = hub.bytesSent()
    const again = await evaluate(args, env)
    expect(again.exitCode).toBe(0)
    expect(again.stderr).not.toContain('Loading')
    expect((await readFile(path('streamed/results.jsonl'))).equals(before)).toBe(true)
    expect(hub.bytesSent() - sent).toBeLessThanOrEqual(2 * 65_536) // the footers
    const strip = (text: string) => text.replace(/Report: .*/, '')
    expect(strip(again.stdout)).toBe(strip(ended.stdout))

    const dear = await runCli([...args, '--max-download', '1kB', '--cache', path('other-cache')], env, MAIN)
    expect(dear.stderr).toMatch(/error: This needs \S+ MB from the hub, and --max-download is 0\.00100 MB\./)
    expect(dear.exitCode).toBe(1)
  })

  it('is killed in the middle, continues, and ends with what an undisturbed run finds; so do shards and workers', async () => {
    const folder = await folderOf('clips', await bundledRows(CLIPS))
    const common = ['--models', `FP32:${model}`, '--datasets', folder]
    const whole = await evaluate([...common, '--output', path('whole')])
    expect(whole.exitCode).toBe(0)
    expect(whole.stdout).toContain('Times of words on clips: mean error (median) of starts and ends')
    const { times } = (await json('whole', 'report.json')).rows[0]
    expect(times.utterances).toBe(CLIPS)
    expect(times.all.edges / times.referenceEdges).toBeGreaterThan(0.95)
    expect(times.all.mean).toBeLessThan(0.1)

    const args = [...common, '--cache', path('cache'), '--threads', '1', '--output', path('killed')]
    const killed = startCli(args, {}, MAIN)
    const results = path('killed/results.jsonl')
    const count = async () => (await readFile(results, 'utf8').catch(() => '')).split('\n').length
    for (let waited = 0; (await count()) < 6 && waited < 60_000; waited += 20) await sleep(20)
    killed.kill('SIGKILL')
    await killed
    const before = await count()
    expect(before).toBeGreaterThanOrEqual(6)
    expect(before).toBeLessThan(CLIPS)
    await writeFile(results, `${await readFile(results, 'utf8')}{"kind":"utterance","id":"cut o`)
    const resumed = await evaluate([...common, '--output', path('killed')])
    expect(resumed.stderr).toMatch(new RegExp(`FP32: \\d+ of ${CLIPS - before + 2} `))
    expect((await lines('killed')).length).toBe(CLIPS)
    expect(await findings('killed')).toEqual(await findings('whole'))

    for (const part of [2, 1]) {
      const ended = await evaluate([...common, '--shard', `${part}/2`, '--output', path(`part-${part}`)])
      expect(ended.stdout).toContain('(12 of 24 utterances')
    }
    const merge = (...folders: readonly string[]) =>
      runCli(['merge', ...folders.map(path), '--output', path('merged')], {}, MAIN)
    const merged = await merge('part-2', 'part-1')
    expect(merged.exitCode).toBe(0)
    expect(await findings('merged')).toEqual(await findings('whole'))
    const told = await evaluate([...common, '--output', path('whole'), '--json'])
    const [note, report, done, ...rest] = eventsOf(told.stdout)
    expect(note).toMatchObject({ event: 'note', text: expect.stringMatching(/24 of 24 utterances/) })
    const kept = await json('whole', 'report.json')
    expect(report).toMatchObject({ event: 'report', output: path('whole'), rows: kept.rows })
    expect([done, rest]).toEqual([{ event: 'done', seconds: expect.any(Number) }, []])
    expect(told.stderr).toMatch(/^note: --json prints one event a line: .*\.$/)

    expect((await merge('part-1')).stderr).toContain('error: Part 2 of 2 is missing.')
    expect((await merge('part-1', 'part-1')).stderr).toContain('error: Part 2 of 2 is missing.')
    expect((await merge('part-1', 'whole')).stderr).toMatch(
      /is part of another evaluation than .*: its shards differ/,
    )
    expect((await merge('part-1', 'nowhere')).stderr).toContain('nowhere holds no run.json')

    expect((await merge('part-1', 'merged')).stderr).toContain('merged is one of the parts.')
    await evaluate([...common, '--shard', '2/2', '--max-piece', '30', '--output', path('part-other')])
    expect((await merge('part-1', 'part-other')).stderr).toMatch(
      /its systems differ:\n.*"maxPieceSeconds":30/,
    )

    const workers = await evaluate([...common, '--workers', '2', '--output', path('workers')])
    expect(workers.stdout).toContain('2 workers side by side with 1 thread each')
    expect(await findings('workers')).toEqual(await findings('whole'))
  })

  it('counts what cannot be read, splits what is long, compares with other engines, and shows it all on a page', async () => {
    const [first, second, ...others] = await bundledRows(12)
    if (!first || !second) throw new Error('no clips')
    const folder = await folderOf('odd', [first, second])
    await writeFile(join(folder, 'broken.flac'), 'fLaC')
    const long = await Promise.all(others.map(({ file }) => loadClip(join(BUNDLED_SPEECH, file))))
    const pause = new Float32Array(16000)
    const samples = Float32Array.from(long.flatMap((clip) => [...clip.samples, ...pause]))
    await writeFile(join(folder, 'long.wav'), encodeWav(samples))
    const entries = [
      first,
      second,
      { id: 'broken', file: 'broken.flac', text: 'three words deleted' },
      { id: 'long', file: 'long.wav', text: others.map(({ text }) => text).join(' '), speaker: 'many' },
    ]
    await writeFile(join(folder, 'manifest.jsonl'), entries.map((entry) => JSON.stringify(entry)).join('\n'))
    const engine = `lengths:${process.execPath} ${builtModule('test/helpers/echo-engine.ts')} {wav}`
    const args = [
      ...both(),
      '--engine',
      engine,
      '--datasets',
      folder,
      '--max-piece',
      '10',
      '--output',
      path('odd-out'),
    ]
    const ended = await evaluate(args)
    expect(ended.stderr).not.toContain('error:')
    expect(ended.stdout).toContain(
      'odd, FP32: 1 could not be read or transcribed (all their words count as deleted)',
    )
    expect(ended.stdout).toMatch(/odd, broken: The FLAC file/)
    const records = await lines('odd-out')
    const of = (system: string, id: string) =>
      records.find((record) => record.system === system && record.id === id)
    expect(of('FP32', 'broken').problem).toMatch(/^The FLAC file/)
    expect(of('lengths', first.id).text).toMatch(/^heard \d+ seconds$/)
    expect(of('lengths', first.id).compute).toBeGreaterThan(0.1)
    const { pieces, seconds } = of('FP32', 'long')
    expect(pieces.length).toBe(Math.ceil(seconds / 10))
    expect(pieces[0].start).toBe(0)
    const { rows } = await json('odd-out', 'report.json')
    const row = rows.find(
      (r: { system: string; normalizer: string }) => r.system === 'FP32' && r.normalizer === 'basic',
    )
    expect(row.failures.problems).toBe(1)
    expect(row.errors.deletions).toBeGreaterThanOrEqual(3)
    expect(row.utterances).toBe(4)

    const browser = await startBrowser()
    try {
      const page = await browser.newPage()
      const problems: string[] = []
      const requests: string[] = []
      page.on('pageerror', (error) => problems.push(error.message))
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
      page.on('request', (request) => requests.push(request.url()))
      await page.goto(`file://${path('odd-out/report.html')}`)
      expect(await page.locator('table').first().locator('tbody tr').count()).toBe(3)
      const charts = await page.locator('.chart').evaluateAll((all) => all.map(({ id }) => id))
      expect(charts).toEqual([
        'chart-wer',
        'chart-rtf',
        'chart-wer-rtf',
        'chart-wer-size',
        'chart-latency',
        'chart-by-length',
        'chart-by-speaker',
      ])
      for (const id of charts)
        expect(await page.locator(`#${id} svg [data-value]`).count()).toBeGreaterThan(2)
      await page.selectOption('#show', 'all')
      expect(await page.locator('#count').textContent()).toBe('4 of 4')
      await page.selectOption('#show', 'failures')
      expect(await page.locator('#list > li').count()).toBe(2)
      expect(await page.locator('#list').textContent()).toContain('split at')
      await page.selectOption('#show', 'all')
      await page.fill('#find', 'three words deleted')
      expect(await page.locator('#list .d').allTextContents()).toEqual(
        Array(3).fill(['three', 'words', 'deleted']).flat(),
      )
      expect(await page.locator('.play').count()).toBe(1) // even a broken file is what it is
      await page.fill('#find', second.id)
      await page.locator('.play').first().click()
      await page.waitForFunction('document.querySelector("audio")?.duration > 0')
      const duration = await page.evaluate<number>('document.querySelector("audio").duration')
      expect(duration).toBeCloseTo(of('FP32', second.id).seconds, 1)
      expect(problems).toEqual([])
      expect(requests.filter((url) => !url.startsWith('file:') && !url.startsWith('blob:'))).toEqual([])
    } finally {
      await browser.close()
    }
  })

  it('measures a corrected reference again, tries failed clips again with --retry, and says when nothing was transcribed', async () => {
    const [first] = await bundledRows(1)
    if (!first) throw new Error('no clips')
    const folder = await folderOf('edited', [first])
    const args = ['--models', `FP32:${model}`, '--datasets', folder, '--output', path('edited-out')]
    const words = async () => (await json('edited-out', 'report.json')).rows[0].errors.words
    await evaluate(args)
    const before = await words()
    await writeFile(
      join(folder, 'manifest.jsonl'),
      JSON.stringify({ ...first, text: `${first.text} And one.` }),
    )
    await evaluate(args)
    expect(await words()).toBe(before + 2)

    await writeFile(join(folder, 'manifest.jsonl'), JSON.stringify({ id: 'm4a', file: 'a.m4a', text: 'one' }))
    await writeFile(join(folder, 'a.m4a'), await convert(join(BUNDLED_SPEECH, first.file), 'a.m4a', []))
    const without = await evaluate(args, { FFMPEG_PATH: '/nowhere/ffmpeg' })
    expect(without.stderr).toContain('error: FP32 transcribed nothing of edited.')
    expect(without.exitCode).toBe(1)
    expect(without.stdout).not.toContain('NaN')
    expect(await readFile(path('edited-out/report.html'), 'utf8')).not.toContain('NaN')
    const same = await evaluate(args, { FFMPEG_PATH: await ffmpegPath() })
    expect(same.exitCode).toBe(1)
    const again = await evaluate([...args, '--retry'], { FFMPEG_PATH: await ffmpegPath() })
    expect(again.exitCode).toBe(0)
  })

  it('scores references however they are composed, parts of recordings, and what is said in silence', async () => {
    const german = (await bundledRows(60)).filter(({ text }) => /[äöü]/.test(text)).slice(0, 4)
    const [first] = german
    if (!first) throw new Error('no clips with marks')
    const nfc = await folderOf('nfc', german)
    const nfd = await folderOf(
      'nfd',
      german.map((row) => ({ ...row, text: row.text.normalize('NFD') })),
    )
    const quiet = await folderOf('quiet', [first])
    const { seconds } = await loadClip(join(BUNDLED_SPEECH, first.file))
    const entry = { audio_filepath: first.file, offset: 0.5 }
    const entries = [
      { id: 'null', ...entry, text: null },
      { id: 'spaces', ...entry, text: '  ' },
      { id: 'folder', file: '.', text: '' },
      { id: 'late', ...entry, offset: 99, text: null },
    ]
    await writeFile(join(quiet, 'manifest.jsonl'), entries.map((line) => JSON.stringify(line)).join('\n'))
    const args = ['--models', `FP32:${model}`, '--datasets', nfc, nfd, quiet, '--keep-empty']
    const ended = await evaluate([...args, '--output', path('composed')])
    expect(ended.stderr).not.toContain('error:')
    const { rows } = await json('composed', 'report.json')
    const errorsOf = (dataset: string) =>
      rows.flatMap((row: { dataset: string; errors: unknown }) =>
        row.dataset === dataset ? [row.errors] : [],
      )
    expect(errorsOf('nfd')).toEqual(errorsOf('nfc'))
    const records = await lines('composed')
    const said = new Map(records.map((record) => [record.id, record]))
    expect(said.get('null').seconds).toBeCloseTo(seconds - 0.5, 3)
    expect(said.get('folder').problem).toBe(`${quiet} is a directory, not a file.`)
    expect(said.get('late').problem).toMatch(/ ends at \d\.\d\d s, and the utterance begins at 99\.00 s\.$/)
    const silence = rows.find(
      (row: { dataset: string; normalizer: string }) => row.dataset === 'quiet' && row.normalizer === 'basic',
    )
    expect(silence.errors).toMatchObject({ words: 0, deletions: 0, substitutions: 0 })
    expect(silence.errors.insertions).toBeGreaterThan(1)
    expect(silence.wer).toBe(silence.errors.insertions)
    expect(silence.failures).toMatchObject({ problems: 2, empty: 0 })
    expect(ended.stdout).not.toMatch(/NaN|Infinity/)

    await writeFile(join(quiet, 'manifest.jsonl'), '{"file": "a.wav", "text": ""}')
    const none = await evaluate(['--models', `FP32:${model}`, '--datasets', quiet])
    expect(none.stderr).toContain(
      `error: ${quiet} lists no recording with a transcript, and 1 without.\nhint: `,
    )
    expect(none.exitCode).toBe(1)
  })

  it('an engine that hangs is given up, and counted', async () => {
    const [first] = await bundledRows(1)
    if (!first) throw new Error('no clips')
    const folder = await folderOf('hanging', [first])
    const engine = `hangs:${process.execPath} -e setTimeout(String,60000) {wav}`
    const ended = await evaluate([
      '--engine',
      engine,
      '--engine-timeout',
      '1',
      '--datasets',
      folder,
      '--output',
      path('hanging-out'),
    ])
    expect(ended.stdout).toContain('hanging, hangs: 1 could not be read or transcribed')
    expect(ended.stdout).toContain('hangs took longer than 1 s.')
    expect(ended.exitCode).toBe(1)
  })

  it('--batch decodes utterances together, with the same transcripts, and says what cannot', async () => {
    const folder = await folderOf('batched', await bundledRows(CLIPS))
    const heard = async (batch: string, ...models: readonly string[]) => {
      const output = path(`batch-${batch}`)
      const ended = await evaluate([
        ...['--models', ...models, '--datasets', folder, '--batch', batch, '--output', output],
      ])
      expect(ended.exitCode, ended.stderr).toBe(0)
      const records = await lines(`batch-${batch}`)
      return new Map(
        records.map(({ system, key, pieces }) => [
          `${system} ${key}`,
          pieces.map(({ raw, ending, generated }: Record<string, unknown>) => [raw, ending, generated]),
        ]),
      )
    }
    const models = [`FP32:${model}`, `int4:${model}:int4`]
    const alone = await heard('1', ...models)
    expect(alone.size).toBe(2 * CLIPS)
    expect(await heard('8', ...models)).toEqual(alone)
    const split = path('split-only')
    await cp(model, split, { recursive: true, filter: (from) => !/decoder\.(int4\.)?onnx$/.test(from) })
    const refused = await evaluate(['--models', `old:${split}`, '--datasets', folder, '--batch', '2'])
    expect(refused.stderr).toContain('decodes one sequence at a time, not 2.')
    expect(refused.exitCode).toBe(1)
  })

  it('a worker that is gone ends the evaluation; it is not a clip that cannot be read', async () => {
    const setup = { folder: model, variant: '', threads: 1, batch: 1, warmUp: false, options: {} }
    const pool = await startPool({
      ...{ count: 1, places: 1 },
      start: () => startWorker(setup),
      end: (worker) => worker.close(),
    })
    const transcribe = (path: string) => pool.run((worker) => worker.transcribe({ path }))
    const [first] = await bundledRows(1)
    const clip = join(BUNDLED_SPEECH, first?.file ?? '')
    expect((await transcribe(clip)).recognition.text).not.toBe('')
    const pending = transcribe(clip)
    const waiting = transcribe(clip)
    const ended = Promise.allSettled([pending, waiting])
    await pool.close()
    const late = await Promise.allSettled([transcribe(clip)])
    for (const result of [...(await ended), ...late]) {
      const error = result.status === 'rejected' && result.reason
      expect(error).toMatchObject({ message: expect.stringMatching(/^The recognizer is closed/) })
      expect(error).not.toBeInstanceOf(SpeechError)
    }
  })

  it('compare puts PyTorch and every variant side by side, and finds FP32 the same', async () => {
    const audio = (await bundledRows(2)).map(({ file }) => join(BUNDLED_SPEECH, file))
    const args = ['--model-dir', model, '--threads', '1', '--audio', ...audio]
    const ended = await runCli([...args, '--json'], {}, 'compare')
    expect(ended.exitCode).toBe(0)
    const found = eventsOf(ended.stdout).filter(({ event }) => event === 'report')
    expect(found.map(({ file }) => file)).toEqual(audio)
    for (const { paths } of found) {
      const [pytorch, fp32, int4] = paths
      expect([pytorch.path, fp32.path, int4.path]).toEqual([
        expect.stringContaining('PyTorch 2.13.0'),
        'ONNX fp32',
        'ONNX int4',
      ])
      expect(pytorch.tokens.length).toBeGreaterThan(4)
      expect(fp32).toMatchObject({ tokens: pytorch.tokens, same: fp32.of, text: pytorch.text })
      expect(fp32.divergence).toBeUndefined()
      expect(fp32.worstMel).toBeLessThan(1e-4)
      expect(fp32.worstFeature).toBeLessThan(1e-4)
      expect(fp32.worstFeature).toBeGreaterThan(0)
    }
    const table = await runCli(args, {}, 'compare')
    expect(table.stdout).toMatch(/ONNX fp32 +\d+ +(\d+) of \1 +- +\d\.\de-\d/)
    const wrong = await runCli(['--model-dir', root, '--audio', ...audio], {}, 'compare')
    expect(wrong.stderr).toContain(`error: ${root} holds no decoder graph.`)
    expect(wrong.exitCode).toBe(1)
  })

  it('stops on Ctrl-C with what to do next', async () => {
    const running = startCli(
      [
        ...both(),
        '--datasets',
        BUNDLED_SPEECH,
        '--output',
        path('stopped'),
        '--cache',
        path('cache'),
        '--threads',
        '1',
      ],
      {},
      MAIN,
    )
    for (let waited = 0; waited < 60_000; waited += 20) {
      if ((await readFile(path('stopped/results.jsonl'), 'utf8').catch(() => '')).split('\n').length > 4)
        break
      await sleep(20)
    }
    const other = await evaluate([...both(), '--datasets', BUNDLED_SPEECH, '--output', path('stopped')])
    expect(other.stderr).toMatch(/error: Another run \(process \d+\) is working on /)
    running.kill('SIGINT')
    const ended = await running
    expect(ended.stderr).toContain(
      'error: Stopped.\nhint: Run the same command again: what has been measured is kept.',
    )
    expect(ended.exitCode).toBe(130)
  })

  it.each([
    [[], 2, 'Missing required argument: datasets'],
    [['--datasets', '.'], 2, 'Found no --models and no --engine, wanted at least one.'],
    [['--models', 'a', '--datasets', '.'], 2, '--models "a" is not NAME:FOLDER or NAME:FOLDER:VARIANT.'],
    [
      ['--models', 'a@wat:b', '--datasets', '.'],
      1,
      'This onnxruntime-node has no execution provider "wat".\nhint: It has cpu',
    ],
    [
      ['--models', 'a:b', '--datasets', '.', '--provider', 'wat'],
      1,
      'This onnxruntime-node has no execution provider "wat".\nhint: It has cpu',
    ],
    [['--models', 'a@:b', '--datasets', '.'], 2, '--models "a@:b" names no provider, wanted'],
    [['--models', '@cpu:b', '--datasets', '.'], 2, '--models "@cpu:b" names no model, wanted'],
    [['--models', 'a:/nowhere', '--datasets', '.'], 1, '/nowhere holds no decoder graph.'],
    [['--models', 'a:b', 'a:c', '--datasets', '.'], 2, 'Two systems are named a, wanted names of their own.'],
    [
      ['--engine', 'a:no-such-program {wav}', '--datasets', '.'],
      1,
      '--engine a: there is no program no-such-program on PATH.',
    ],
    [
      ['--models', 'a:b', '--datasets', '.', '--cache', 'x', '--cache', 'y'],
      2,
      '--cache is given 2 times, wanted once.',
    ],
    [['--models', 'a:b', '--datasets', '.', '--seed', '1.5'], 2, '--seed is 1.5, wanted a whole number.'],
    [
      ['--engine', 'a:cmd', '--datasets', '.'],
      1,
      '--engine "a:cmd" is not NAME:COMMAND with {wav} in the command.',
    ],
    [
      ['--models', 'a:b', '--datasets', '.', '--shard', '3/2'],
      2,
      '--shard is "3/2", wanted I/N with I from 1 to N.',
    ],
    [
      ['--models', 'a:b', '--datasets', '.', '--n-samples', '0'],
      2,
      '--n-samples is 0, wanted a whole number above 0.',
    ],
    [['--models', 'a:b', '--datasets', '.', '--sample', 'first'], 2, '--sample first needs --n-samples.'],
    [
      ['--models', 'a:b', '--datasets', '.', '--max-download', 'lots'],
      2,
      '--max-download is "lots", wanted a size such as 500MB.',
    ],
    [
      ['--models', 'a:b', '--datasets', '.', '--language', 'Klingon'],
      2,
      '"Klingon" is not a language of Qwen3-ASR.',
    ],
    [['--models', 'a:b', '--datasets', '.', '--modles', 'x'], 2, 'Unknown argument: modles'],
  ])('refuses %j', async (args, exitCode, message) => {
    const ended = await runCli(args, {}, MAIN)
    expect(ended.stderr).toContain(`error: ${message}`)
    expect(ended.exitCode).toBe(exitCode)
  })

  it('refuses the legacy prompt for a model with another tokenizer', async () => {
    const ended = await evaluate([
      ...both(),
      '--datasets',
      BUNDLED_SPEECH,
      '--n-samples',
      '1',
      '--prompt',
      'legacy',
      '--output',
      path('legacy'),
    ])
    expect(ended.stderr).toMatch(
      /error: The legacy prompt is one of the published tokenizer, where "system" is 8948; here it is \d+\./,
    )
    expect(ended.exitCode).toBe(1)
  })
})
