// SPDX-License-Identifier: Apache-2.0

import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { run } from '../../pipeline/commands/transcribe-command.ts'
import { parseTranscribe } from '../../pipeline/commands/transcribe-options.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { transcribeFiles } from '../../pipeline/transcribe/transcribe-files.ts'
import { builtCommand } from '../helpers/commands.ts'
import { eventsOf } from '../helpers/events.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

let root = ''
let model = ''
let first = ''
let second = ''
let samples = new Float32Array()
const path = (name: string) => join(root, name)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-command-'))
  model = await copyTinyRelease(root)
  const [a, b] = (await bundledRows(2)).map(({ file }) => join(BUNDLED_SPEECH, file))
  ;[first, second] = [a as string, b as string]
  samples = (await loadClip(first)).samples as typeof samples
})

afterAll(() => rm(root, { recursive: true, force: true }))

async function parsed(...args: readonly string[]) {
  const options = await parseTranscribe(args)
  if (!options) throw new Error('help was printed')
  return options
}

/** The command in this process. */
async function transcribe(...args: readonly string[]) {
  const [printed, complaints]: [string[], string[]] = [[], []]
  const options = await parsed('--model-dir', model, '--threads', '1', ...args)
  const output = {
    ...{ isLive: false, print: (text: string) => printed.push(text) },
    complain: (lines: readonly string[]) => complaints.push(...lines),
  }
  const failures = await transcribeFiles(options, output, new AbortController().signal)
  return { failures, out: printed.join(''), err: complaints.join('\n').replaceAll(root, '') }
}

describe('the command line', () => {
  it.each([
    [
      ['a', '--', 'b', '-c', '--format'],
      ['a', 'b', '-c', '--format'],
    ],
    [
      ['--', 'a', 'b'],
      ['a', 'b'],
    ],
    [['-'], ['-']],
    [
      ['a', '-', '--', '--'],
      ['a', '-', '--'],
    ],
    [['--format', 'srt', '1e3'], ['1e3']],
  ])('%j names the files %j', async (args, files) => {
    expect((await parsed(...args)).files).toEqual(files)
  })

  it('takes the limit of tokens and the rate of stdin', async () => {
    expect(await parsed('-', '--rate', '8000', '--max-new-tokens', '99')).toMatchObject({
      ...{ rate: 8000, maxNewTokens: 99 },
    })
    expect((await parsed('a', '--context', '-')).context).toBe('-')
  })

  it.each([
    [[], 'Found no recording, wanted at least one.'],
    [['--'], 'Found no recording, wanted at least one.'],
    [['-', '-'], 'Stdin (-) is given 2 times, wanted once.'],
    [['a', '--rate', '8000'], '--rate is that of stdin, which is not among the recordings: give - too.'],
    [['-', '--rate', '3'], '--rate is 3, wanted 1000 to 768000 samples a second.'],
    [['-', '--rate', 'x'], '--rate is not a number, wanted 1000 to 768000 samples a second.'],
    [['a', '--max-new-tokens', '0'], '--max-new-tokens is 0, wanted a whole number above 0.'],
    [['a', '--max-piece', 'x'], '--max-piece is not a number, wanted at least 1 second.'],
    [['a', '--output-dir', ''], '--output-dir is empty.'],
    [['a', '--language'], 'Not enough arguments following: language'],
    [['a', '--max-new-tokens'], 'Not enough arguments following: max-new-tokens'],
    [['a', '--max-new-tokens', '-1'], '--max-new-tokens is -1, wanted a whole number above 0.'],
    [['a', 'b', '--format', 'vtt'], 'Subtitles of 2 recordings go to files of their own: give --output-dir.'],
    [['a', '--nonsense'], 'Unknown argument: nonsense'],
  ])('%j is refused', async (args, message) => {
    await expect(parsed(...args)).rejects.toMatchObject({ message, exitCode: 2 })
  })
})

describe('--json', () => {
  async function events(...args: readonly string[]) {
    const told: string[] = []
    vi.spyOn(process.stdout, 'write').mockImplementation((line) => told.push(String(line)) > 0)
    const exitCode = await run(['--model-dir', model, '--threads', '1', '--json', ...args])
    vi.restoreAllMocks()
    return { exitCode, events: eventsOf(told.join('')) }
  }

  it('has an event for each recording, and ends with done', async () => {
    const { exitCode, events: told } = await events(first)
    expect(told).toEqual([
      expect.objectContaining({ event: 'report', file: first, variant: 'int4', text: expect.any(String) }),
      { event: 'done', seconds: expect.any(Number) },
    ])
    expect(exitCode).toBe(0)
  })

  it('names what was written, and ends with failure where a recording was not transcribed', async () => {
    const { exitCode, events: told } = await events(path('no.wav'), first, '--output-dir', path('told'))
    const [name = ''] = await readdir(path('told'))
    expect(told).toEqual([
      { event: 'note', text: expect.stringMatching(/^error: .*no\.wav does not exist\./) },
      { event: 'report', file: first, written: join(path('told'), name) },
      expect.objectContaining({ event: 'failure', message: '1 of 2 recordings could not be transcribed.' }),
    ])
    expect(exitCode).toBe(1)
  })

  it('does not go with subtitles that would be printed', async () => {
    await expect(parsed('a', '--format', 'srt', '--json')).rejects.toMatchObject({
      message: 'Subtitles are not events: give --output-dir, or leave --json out.',
      exitCode: 2,
    })
  })
})

describe('transcribing files', () => {
  it('names each that is none, and transcribes the others', async () => {
    await mkdir(path('folder'))
    await execa('mkfifo', [path('fifo')])
    const files = [
      path('folder'),
      first,
      path('fifo'),
      '/dev/zero',
      path('none.wav'),
      `${first}\0.wav`,
      second,
    ]
    const { failures, out, err } = await transcribe('--batch', '2', '--', ...files)
    expect(failures).toBe(5)
    expect(out.trimEnd().split('\n')).toHaveLength(2)
    expect(out.startsWith(`${first}: `)).toBe(true)
    const errors = err.split('\n').filter((line) => line.startsWith('error: '))
    expect(errors.slice(0, 4)).toEqual([
      'error: /folder is a directory, wanted an audio file.',
      'error: /fifo is a FIFO, wanted an audio file.',
      'error: /dev/zero is a device, wanted an audio file.',
      'error: /none.wav does not exist.',
    ])
    expect(errors[4]).toContain('.wav')
  })

  it('takes a file whose name begins with a dash', async () => {
    await writeFile(path('-x.wav'), encodeWav(samples))
    const work = process.cwd()
    process.chdir(root)
    try {
      expect((await transcribe('--', '-x.wav')).failures).toBe(0)
    } finally {
      process.chdir(work)
    }
  })

  it('refuses a language that is not one before it loads anything, and once', async () => {
    await expect(parsed('a', 'b', '--language', 'klingon')).rejects.toMatchObject({
      message: '"klingon" is not a language of Qwen3-ASR.',
      exitCode: 2,
    })
  })

  it('never writes over a recording', async () => {
    await mkdir(path('odd'))
    const recording = path('odd/talk.txt')
    await writeFile(recording, encodeWav(samples))
    await symlink(path('odd'), path('same'))
    for (const folder of [path('odd'), path('same')]) {
      await expect(transcribe(recording, '--output-dir', folder)).rejects.toMatchObject({
        message: `The text of ${recording} would replace the recording ${recording}.`,
        exitCode: 2,
      })
    }
    expect(await readFile(recording)).toEqual(Buffer.from(encodeWav(samples)))
    expect((await transcribe(recording, '--output-dir', path('odd'), '--format', 'json')).failures).toBe(0)
  })

  it('writes WebVTT, cut off at the limit of tokens', async () => {
    const folder = path('vtt')
    const { err } = await transcribe(
      first,
      '--format',
      'vtt',
      '--output-dir',
      folder,
      '--max-new-tokens',
      '7',
    )
    expect(err).toContain('the token limit cut the text off.')
    const [name = ''] = await readdir(folder)
    expect(name).toMatch(/\.vtt$/)
    expect(await readFile(join(folder, name), 'utf8')).toMatch(
      /^WEBVTT\n\n00:00:00\.\d{3} --> 00:00:0\d\.\d{3}\n\S.*\n$/,
    )
  })

  it('writes the object of OpenAI, of what the model said', async () => {
    const { segments, text, seconds } = JSON.parse((await transcribe(first, '--format', 'json')).out)
    const { out } = await transcribe(first, '--format', 'json', '--openai')
    const object = JSON.parse(out)
    expect(object).toMatchObject({ task: 'transcribe', language: 'english', text })
    expect(object.duration).toBeCloseTo(seconds, 3)
    expect(object.segments).toMatchObject([{ id: 0, text, temperature: 0, avg_logprob: null }])
    expect(object.segments[0].tokens).toHaveLength(segments[0].tokens)
    expect(object.words?.map(({ word }: { word: string }) => word)).toEqual(
      segments[0].words?.map((word: { text: string }) => word.text),
    )
  })

  it('begins subtitles and words when they are said', async () => {
    const [, row = ''] = /^(.*)$/m.exec(await readFile(join(BUNDLED_SPEECH, 'manifest.jsonl'), 'utf8')) ?? []
    const { file, text, words } = JSON.parse(row)
    expect(first).toBe(join(BUNDLED_SPEECH, file))
    const { out } = await transcribe(first, '--format', 'vtt', '--word-timestamps', '--variant', 'fp32')
    const [, times = '', line = ''] = out.split(/\n+/)
    expect(line.replaceAll(/<[^>]*>/g, '')).toBe(text)
    const [start, end = 0] = times.split(' --> ').map((time) => Number(time.slice(6)))
    const starts = [...line.matchAll(/<00:00:([\d.]+)>/g)].map(([, time]) => Number(time))
    const found = [start, ...starts, end]
    const wanted = [...words.map((word: { start: number }) => word.start), words.at(-1).end]
    expect(found).toHaveLength(wanted.length)
    for (const [i, time] of wanted.entries()) expect(Math.abs((found[i] ?? 0) - time)).toBeLessThan(0.2)
  })

  it('refuses times of words where the graphs have none', async () => {
    const options = ['--layout', 'split', '--format', 'vtt', '--word-timestamps']
    await expect(transcribe(first, ...options)).rejects.toMatchObject({
      message: `int4 in ${model} has no times of words in the split layout, which --word-timestamps needs.`,
      hint: 'Leave --word-timestamps out, or use the fused layout of a release that has them.',
      exitCode: 1,
    })
  })

  it('says what is odd in a recording, in JSON too', async () => {
    const loud = Buffer.alloc(44 + 4 * samples.length)
    loud.set(encodeWav(new Float32Array(2 * samples.length)))
    loud.writeUInt16LE(3, 20)
    loud.writeUInt32LE(64000, 28)
    loud.writeUInt16LE(4, 32)
    loud.writeUInt16LE(32, 34)
    for (const [i, sample] of samples.entries()) loud.writeFloatLE(sample * 16384, 44 + 4 * i)
    await writeFile(path('loud.wav'), loud)
    const { out, err } = await transcribe(path('loud.wav'), '--format', 'json')
    const { warnings, text } = JSON.parse(out)
    expect(warnings).toHaveLength(1)
    expect(err).toBe(`warning: /loud.wav: ${warnings[0]}`)
    expect(text).toBe(JSON.parse((await transcribe(first, '--format', 'json')).out).text)
  })
})

describe('stdin', () => {
  const start = (input: Uint8Array, ...args: readonly string[]) =>
    execa(
      process.execPath,
      [...builtCommand('transcribe'), '--model-dir', model, '--threads', '1', ...args],
      { cwd: root, input, reject: false },
    )

  it('is read with a header, and without one at a rate that is given', async () => {
    const wav = encodeWav(samples)
    const whole = (await transcribe(first)).out
    const withHeader = await start(wav, '-')
    expect(withHeader).toMatchObject({ exitCode: 0, stderr: '', stdout: whole.trimEnd() })
    const raw = await start(wav.subarray(44), '--rate', '16000', '--output-dir', path('raw'), '--', '-')
    expect(raw).toMatchObject({ exitCode: 0, stderr: '', stdout: '' })
    expect(await readdir(path('raw'))).toEqual(['stdin.txt'])
    expect(await readFile(path('raw/stdin.txt'), 'utf8')).toBe(whole)
    const unknown = await start(wav.subarray(44), '-', first)
    expect(unknown.exitCode).toBe(1)
    expect(unknown.stderr).toMatch(
      /^error: stdin: The file begins with .*\nhint: .*need their rate: --rate 16000\.$/,
    )
    expect(unknown.stdout).toBe(`${first}: ${whole.trimEnd()}`)
  })
})
