// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import {
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { folderDataset } from '../../eval/dataset/folder-dataset.ts'
import { hashFile } from '../../eval/hash-file.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { hashSamples } from '../../eval/runtime/audio/sample-hash.ts'
import { USUAL_CALIBRATION } from '../../pipeline/calibration-choice.ts'
import { BUNDLED_SPEECH, CALIBRATION_SPEECH } from '../../pipeline/models.ts'
import { type Calibration, calibrate } from '../../pipeline/quantize/calibration.ts'
import { readSpeech } from '../../pipeline/quantize/calibration-clips.ts'
import { calibrationPlace, missingStates } from '../../pipeline/quantize/calibration-place.ts'
import { builtModule } from '../helpers/commands.ts'
import { injectFault } from '../helpers/faults.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { descendants, goneWithin, living } from '../helpers/processes.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'
import { wavOf } from '../helpers/wav.ts'

const notes: string[] = []
let model = ''
let python = ''
let work = ''

async function run(
  more: Partial<Parameters<typeof calibrate>[0]> = {},
  onProgress: (done: number) => void = () => undefined,
): Promise<Calibration> {
  const signal = more.signal ?? new AbortController().signal
  return calibrate({
    ...{ ...USUAL_CALIBRATION, clips: 9, model, work, threads: 1, judged: new Map(), signal },
    python: { python, log: join(work, 'calibrate.log'), signal, onProgress: () => undefined },
    emit(event) {
      if (event.event === 'note') notes.push(event.text)
      if (event.event === 'progress' && event.what === 'calibration answers') onProgress(event.done)
    },
    ...more,
  })
}

/** Until all clips are answered; it stops before the hidden states. @returns how far it had come after each answer */
async function answerAlone(work: string, clips = 9): Promise<number[]> {
  const stop = new AbortController()
  const counts: number[] = []
  const ended = run({ work, clips, signal: stop.signal }, (done) => {
    counts.push(done)
    if (done === clips) stop.abort(new Error('answered'))
  })
  await expect(ended).rejects.toThrow('answered')
  return counts
}

async function onlyCalibration(work: string): Promise<string> {
  const [key = '', ...others] = await readdir(join(work, 'calibration'))
  expect(others).toEqual([])
  return join(work, 'calibration', key)
}

/** Names of the clips that are answered. */
async function answeredIn(folder: string): Promise<string[]> {
  return (await readdir(join(folder, 'clips'))).filter((name) => /^\d+\.json$/.test(name))
}

/** When files were written. */
function timesOf(folder: string, names: readonly string[]): Promise<number[]> {
  return Promise.all(names.map(async (name) => (await stat(join(folder, name))).mtimeMs))
}

async function hashesOf(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.\w+$/.test(name)).sort()
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await hashFile(join(folder, name), 'sha256')])),
  )
}

beforeAll(async () => {
  model = join(await sharedReleases(), TINY_NAME)
  python = await stagePython()
  work = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-calibration-'))
  return () => rm(work, { recursive: true })
})

describe('a calibration', () => {
  it("holds FP32's answers to as many clips as were asked for, and the hidden states of all layers", async () => {
    const { folder, index } = await run()
    expect(index.clips).toHaveLength(9)
    const words = (await readFile(join(CALIBRATION_SPEECH, 'manifest.jsonl'), 'utf8')).trim().split('\n')
    const said = new Map(words.map((line) => [JSON.parse(line).id, JSON.parse(line).text]))
    const right = index.clips.filter(({ id, says }) => said.get(id) === says)
    expect(right.length).toBeGreaterThan(6) // the tiny model's errors are few
    const positions = index.clips.reduce(
      (sum, { prompt_ids, tokens }) => sum + prompt_ids.length + tokens.length,
      0,
    )
    expect(index.positions).toBe(positions)
    expect(await readdir(join(folder, 'hidden'))).toEqual(['00.f32', '01.f32', '02.f32', '03.f32'])
    expect((await stat(join(folder, 'hidden', '03.f32'))).size).toBe(positions * 128 * 4)
  })

  it('is found again, and continues where it was when a clip or a layer is missing', async () => {
    const before = await run()
    const counts: number[] = []
    expect(await run({}, (done) => counts.push(done))).toEqual(before)
    expect(counts).toEqual([]) // FP32 was not asked again
    const untouched = join(before.folder, 'clips', '0003.json')
    const { mtimeMs } = await stat(untouched)
    await writeFile(join(before.folder, 'index.json'), '{"format": 1, "ke') // cut off
    await writeFile(join(before.folder, 'clips', '0005.json'), '')
    await writeFile(join(before.folder, 'clips', '0006.features.f32'), 'short')
    const features = join(before.folder, 'clips', '0007.features.f32')
    await writeFile(features, Buffer.alloc((await stat(features)).size)) // as large as it was
    expect(await run({}, (done) => counts.push(done))).toEqual(before)
    expect(counts).toEqual([7, 8, 9])
    expect((await stat(untouched)).mtimeMs).toBe(mtimeMs)
  })

  it('is the same when config.json describes other variants, and another when FP32 is', async () => {
    const copy = join(work, 'described', TINY_NAME)
    await cp(model, copy, { recursive: true, filter: (path) => !/release$|int4|\.work/.test(path) })
    const [own, file] = [join(work, 'described-work'), join(copy, 'config.json')]
    const keyNow = async () => (await calibrationPlace({ model: copy, work: own }, [], {})).key
    const before = await keyNow()
    const config = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...config, quantization: { 'decoder.more': 'int2' } }))
    expect(await keyNow()).toBe(before)
    const tokens = join(copy, 'tokenizer_config.json')
    await writeFile(tokens, `${await readFile(tokens, 'utf8')}\n`)
    expect(await keyNow()).not.toBe(before)
  })

  it('leaves out what cannot be read and what comes twice, by name', async () => {
    const folder = join(work, 'partly')
    await cp(CALIBRATION_SPEECH, folder, { recursive: true })
    await writeFile(join(folder, 'calibration-003.flac'), 'not audio')
    await copyFile(join(folder, 'calibration-001.flac'), join(folder, 'calibration-002.flac'))
    const all = { sample: 'first', count: 11, seed: 1 } as const
    const dataset = await folderDataset(folder, all, { cache: join(work, 'datasets') })
    const said: string[] = []
    const speech = await readSpeech(dataset, new AbortController().signal, (text) => said.push(text))
    expect(speech).toHaveLength(9)
    expect(said).toEqual([
      'Calibration leaves calibration-002 out: it has the samples of calibration-001.',
      'Calibration leaves calibration-003 out: The file holds text ("not audio"), wanted audio.',
    ])
  })

  it('stops between clips when it is interrupted, and keeps what it has', async () => {
    const stop = new AbortController()
    const own = join(work, 'interrupted')
    const ended = run({ work: own, signal: stop.signal }, () => stop.abort(new Error('interrupted')))
    await expect(ended).rejects.toThrow('interrupted')
    const kept = await answeredIn(await onlyCalibration(own))
    expect(kept.length).toBeGreaterThan(0)
    expect(await answerAlone(own)).toHaveLength(9 - kept.length)
  })

  it('continues where it was when it was killed, in the answers and in the hidden states', async () => {
    const { folder: wanted } = await run()
    const own = join(work, 'killed')
    const start = (env: Record<string, string> = {}) =>
      execa(process.execPath, [builtModule('test/helpers/killed-calibration.ts'), model, own, python], {
        ...{ env, reject: false, forceKillAfterDelay: false },
      })
    // 8 clips are answered together: this is in the middle of their files' renaming
    expect(await start({ KILL_AT: '62' })).toMatchObject({ signal: 'SIGKILL', stderr: '' })
    const folder = await onlyCalibration(own)
    const clips = (await answeredIn(folder)).map((name) => join('clips', name))
    expect(clips.length).toBeGreaterThan(0)
    expect(clips.length).toBeLessThan(9)
    const before = await timesOf(folder, clips)
    expect(await answerAlone(own)).toHaveLength(9 - clips.length)
    expect(await timesOf(folder, clips)).toEqual(before)

    const half = join(folder, 'hidden', '02.part')
    await mkdir(join(folder, 'hidden'))
    await execa('mkfifo', [half]) // who opens it to write stands still
    const killed = start()
    const states = [join('hidden', '00.f32'), join('hidden', '01.f32')]
    while (killed.exitCode === null && !existsSync(join(folder, 'hidden', '01.f32'))) await sleep(20)
    const children = await descendants(killed.pid ?? 0)
    expect((await living(children)).filter((line) => line.includes('calibrate.py'))).toHaveLength(1)
    killed.kill('SIGKILL')
    expect(await killed).toMatchObject({ signal: 'SIGKILL' })
    await goneWithin(children, 2000)
    await rm(half)
    await writeFile(half, 'cut off')
    const kept = await timesOf(folder, [...clips, ...states])
    await run({ work: own })
    expect(await timesOf(folder, [...clips, ...states])).toEqual(kept)
    expect(await hashesOf(folder)).toEqual(await hashesOf(wanted))
  })

  it('needs room for the hidden states that are not there yet', async () => {
    const { folder, index } = await run()
    expect(await missingStates(model, folder, index)).toBe(0)
    const last = join(folder, 'hidden', '03.f32')
    await rename(last, `${last}.away`)
    expect(await missingStates(model, folder, index)).toBe(index.positions * 128 * 4)
    await rename(`${last}.away`, last)
    expect(await missingStates(model, folder, { positions: 1e9 })).toBe(4 * 1e9 * 128 * 4)
  })

  it('of other clips stays beside it, and one of another model goes', async () => {
    const { folder } = await run()
    const other = join(folder, '..', '0123456789ab-0123456789ab')
    await mkdir(other)
    expect(await answerAlone(work, 8)).toHaveLength(8)
    const beside = await readdir(join(folder, '..'))
    expect(beside).toHaveLength(2)
    expect(beside).toContain(basename(folder))
    expect(beside).not.toContain(basename(other))
  })

  it('continues when a disk was full, in the answers and in the hidden states', async () => {
    const own = join(work, 'full')
    const end = injectFault({ kind: 'full', at: 12 })
    await expect(run({ work: own })).rejects.toMatchObject({ code: 'ENOSPC' })
    await end()
    const folder = await onlyCalibration(own)
    const answered = await answeredIn(folder)
    expect(await answerAlone(own)).toHaveLength(9 - answered.length)

    const hidden = join(folder, 'hidden')
    await mkdir(hidden)
    await symlink('/dev/full', join(hidden, '02.part')) // every write to it fails
    await expect(run({ work: own })).rejects.toMatchObject({
      message: expect.stringContaining('No space left on device'),
    })
    expect((await readdir(hidden)).sort()).toEqual(['00.f32', '01.f32', '02.part'])
    await rm(join(hidden, '02.part'))
    const { mtimeMs } = await stat(join(hidden, '01.f32'))
    await run({ work: own })
    expect((await stat(join(hidden, '01.f32'))).mtimeMs).toBe(mtimeMs)
    expect((await readdir(hidden)).sort()).toEqual(['00.f32', '01.f32', '02.f32', '03.f32'])
  })
})

describe('refused as calibration', () => {
  it('are clips that are judged too, by their samples', async () => {
    const { index } = await run()
    const [clip] = index.clips
    const judged = new Map([[clip?.sha256 ?? '', 'talk-1 of meetings']])
    await expect(run({ judged })).rejects.toMatchObject({
      message: `1 of 9 clips to calibrate on are also evaluated, first ${clip?.id} (talk-1 of meetings).`,
      exitCode: 3,
    })
  })

  it('is speech beyond 600 s: the first clips are taken', async () => {
    const long = join(work, 'long')
    await mkdir(long)
    const names = Array.from({ length: 12 }, (_, i) => join(long, `${String(i).padStart(2, '0')}.wav`))
    const second = (i: number) => Buffer.alloc(32_000, i + 1)
    await Promise.all(
      names.map(async (name, i) => {
        await writeFile(name, wavOf(Buffer.concat(Array(59).fill(second(i)))))
        await writeFile(name.replace('.wav', '.txt'), 'something')
      }),
    )
    const judged = new Map<string, string>()
    for (const name of names) judged.set(await hashSamples((await loadClip(name)).samples), basename(name))
    notes.length = 0
    await expect(run({ dataset: long, clips: 12, judged })).rejects.toThrow('10 of 10 clips')
    expect(notes).toEqual(['Calibration takes 10 of 12 clips: 600 s are enough.'])
  })

  it('are fewer than 8 clips', async () => {
    await expect(run({ clips: 7 })).rejects.toThrow(
      'The calibration on calibration has 7 recordings, wanted at least 8.',
    )
    expect(BUNDLED_SPEECH).not.toBe(CALIBRATION_SPEECH)
  })

  it('are clips without speech', async () => {
    const { folder } = await run()
    for (const place of ['0000', '0004']) {
      const file = join(folder, 'clips', `${place}.json`)
      await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), says: '' }))
    }
    await rm(join(folder, 'index.json'))
    notes.length = 0
    await expect(run()).rejects.toThrow(
      'The calibration on calibration has 7 clips with speech, wanted at least 8.',
    )
    expect(notes.filter((note) => note.endsWith('out: FP32 recognizes no speech in it.'))).toHaveLength(2)
  })
})
