// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { resample } from '../../eval/runtime/audio/resample.ts'
import { Qwen3Asr } from '../../eval/runtime/qwen3-asr.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { type Ended, runCli } from '../helpers/cli.ts'
import { builtCommand } from '../helpers/commands.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

const MAIN = 'transcribe'

let root = ''
let model = ''
let files: string[] = []
let texts: string[] = []
/** Twelve clips in a row, with pauses between them. */
let long = new Float32Array()
const path = (name: string) => join(root, name)

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'qwen3-asr-transcribe-'))
  model = await copyTinyRelease(root)
  const rows = await bundledRows(16)
  files = rows.map(({ file }) => join(BUNDLED_SPEECH, file))
  texts = rows.map(({ text }) => text)
  const clips = await Promise.all(files.slice(0, 12).map(async (file) => (await loadClip(file)).samples))
  long = Float32Array.from(clips.flatMap((clip) => [...clip, ...new Float32Array(9600)]))
})

afterAll(() => rm(root, { recursive: true, force: true }))

async function withAsr<T>(
  use: (asr: Qwen3Asr) => Promise<T>,
  options: Parameters<typeof Qwen3Asr.load>[1] = {},
  folder = model,
): Promise<T> {
  const asr = await Qwen3Asr.load(folder, { threads: 1, ...options })
  try {
    return await use(asr)
  } finally {
    await asr.dispose()
  }
}

const plain = (text: string | undefined) => (text ?? '').toLowerCase().replace(/[^\p{L}\p{N} ]/gu, '')

async function rejection(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => new Error('it did not reject'),
    (reason) => reason,
  )
}

/** A copy of the release without files of some kind. */
async function without(name: string, pattern: RegExp): Promise<string> {
  await cp(model, path(name), { recursive: true, filter: (from) => !from.includes('.work') })
  for (const file of await readdir(path(name))) if (pattern.test(file)) await rm(join(path(name), file))
  return path(name)
}

describe('Qwen3Asr', () => {
  it('transcribes a file, its URL, its samples, and its samples at another rate', async () => {
    const file = files[0] as string
    const { samples } = await loadClip(file)
    await withAsr(async (asr) => {
      expect([asr.variant, asr.layout, asr.prefill]).toEqual(['int4', 'fused', 'int8'])
      const transcript = await asr.transcribe(file)
      expect(plain(transcript.text)).toBe(plain(texts[0]))
      expect(transcript.language).toBe('English')
      expect(asr.hasWordTimes).toBe(true)
      expect(transcript.segments[0]?.words?.map(({ text }) => text).join(' ')).toBe(transcript.text)
      expect(transcript.seconds).toBeCloseTo(samples.length / 16000, 6)
      const [segment] = transcript.segments
      expect(segment).toMatchObject({ text: transcript.text, language: 'English', ending: 'end' })
      expect(segment?.start).toBeGreaterThanOrEqual(0)
      expect(segment?.end).toBeLessThanOrEqual(transcript.seconds)
      expect(Object.values(transcript.timing).every((seconds) => seconds > 0)).toBe(true)
      for (const same of [pathToFileURL(file), samples])
        expect((await asr.transcribe(same)).text).toBe(transcript.text)
      const high = resample(samples, 16000, 48000)
      expect((await asr.transcribe(high, { sampleRate: 48000 })).text).toBe(transcript.text)
    })
  })

  it('gives the same transcripts one by one and in batches, in every variant, layout and way to prefill', async () => {
    const all = async (asr: Qwen3Asr) =>
      (await Promise.all(files.map((file) => asr.transcribe(file)))).map(({ text, segments }) => [
        text,
        segments.map(({ tokens }) => tokens),
      ])
    for (const variant of ['fp32', 'int4']) {
      const one = await withAsr(all, { variant, batch: 1 })
      for (const options of [{ batch: 4 }, { batch: 16 }]) {
        expect(await withAsr(all, { variant, ...options })).toEqual(one)
      }
      if (variant === 'fp32') expect(await withAsr(all, { variant, layout: 'split' })).toEqual(one)
    }
    const heard = await withAsr(all, { prefill: 'same' })
    expect(
      heard.map(([text]) => plain(String(text))).filter((text, i) => text === plain(texts[i])).length,
    ).toBeGreaterThanOrEqual(14)
  })

  it('streams what the result says, piece after piece, while the thread that asked stays free', async () => {
    await withAsr(async (asr) => {
      let ticks = 0
      const timer = setInterval(() => ticks++, 1)
      const stream = asr.stream(long, { maxPieceSeconds: 6 })
      const parts: string[] = []
      for await (const text of stream) parts.push(text)
      clearInterval(timer)
      const { text, segments } = await stream.result
      expect(parts.join('')).toBe(text)
      expect(parts.length).toBeGreaterThan(segments.length)
      expect(segments.length).toBeGreaterThan(3)
      expect(ticks).toBeGreaterThan(10)
      for (const [i, segment] of segments.slice(1).entries())
        expect(segment.start).toBeGreaterThanOrEqual(segments[i]?.start ?? Number.NaN)
      const alone = await withAsr((other) => other.transcribe(long, { maxPieceSeconds: 6 }), { batch: 1 })
      expect(alone.text).toBe(text)
    })
  })

  it('stops when its signal aborts, or when nobody reads, and continues with the next', async () => {
    await withAsr(async (asr) => {
      const stop = new AbortController()
      const stream = asr.stream(long, { signal: stop.signal, maxPieceSeconds: 6 })
      const reading = (async () => {
        for await (const _ of stream) stop.abort(new Error('told to stop'))
      })()
      expect((await rejection(reading)).message).toBe('told to stop')
      expect((await rejection(stream.result)).message).toBe('told to stop')
      const left = asr.stream(long, { maxPieceSeconds: 6 })
      for await (const _ of left) break
      expect((await rejection(left.result)).message).toBe('The reader of the stream has left.')
      const never = asr.transcribe(files[0] as string, { signal: AbortSignal.abort(new Error('too late')) })
      expect((await rejection(never)).message).toBe('too late')
      expect(plain((await asr.transcribe(files[1] as string)).text)).toBe(plain(texts[1]))
    })
  })

  it('forces a language, by name or code, and names those there are', async () => {
    await withAsr(async (asr) => {
      const { language } = await asr.transcribe(files[0] as string, { language: 'en' })
      expect(language).toBe('English')
      const error = await rejection(asr.transcribe(files[0] as string, { language: 'Klingon' }))
      expect(error).toBeInstanceOf(SpeechError)
      expect((error as SpeechError).hint).toContain('English')
    })
  })

  it('says what is wrong with audio, and transcribes the next', async () => {
    await withAsr(async (asr) => {
      await writeFile(path('notes.wav'), 'these are notes')
      await writeFile(path('empty.wav'), '')
      const wanted = 'wanted a path, a file URL, a Blob, a Float32Array or \\{ fd, name \\}\\.$'
      const bad: [unknown, RegExp][] = [
        [undefined, new RegExp(`^The audio is undefined, ${wanted}`)],
        [{}, new RegExp(`^The audio is an object \\(Object\\), ${wanted}`)],
        [new Int16Array(16000), new RegExp(`^The audio is an object \\(Int16Array\\), ${wanted}`)],
        [{ fd: -1, name: 'a' }, new RegExp(wanted)],
        [{ fd: 999_999, name: 'a' }, /^a cannot be read \(EBADF\)\.$/],
        [new URL('https://user:secret@example.com/a.wav'), /^The URL begins with https:, wanted file:\.$/],
        [path('nothing.wav'), /nothing\.wav does not exist\./],
        [path('empty.wav'), /empty\.wav: The file is empty/],
        [path('notes.wav'), /notes\.wav: /],
        [new Blob([]), /^the recording: The blob is empty \(0 bytes\)\.$/],
        [await openAsBlob(files[2] as string), /^The recording cannot be given to a thread: /],
        [new File(['no audio, but text'], 'a.flac'), /^a\.flac: The file holds text/],
        [new Float32Array(10), /The clip has 10 samples at 16 kHz, wanted at least 160/],
        [new Float32Array(16000).fill(Number.NaN), /The recording holds NaN at 0\.00 s/],
      ]
      const jobs = bad.map(([audio]) => rejection(asr.transcribe(audio as string)))
      const good = asr.transcribe(files[2] as string)
      for (const [i, error] of (await Promise.all(jobs)).entries()) {
        expect(error).toBeInstanceOf(SpeechError)
        expect(error.message).toMatch(bad[i]?.[1] ?? /^$/)
      }
      expect(plain((await good).text)).toBe(plain(texts[2]))
      const blob = new Blob([await readFile(files[2] as string)])
      expect(plain((await asr.transcribe(blob)).text)).toBe(plain(texts[2]))
      for (const [options, message] of [
        [{ maxPieceSeconds: 0 }, 'maxPieceSeconds is 0, wanted at least 1.'],
        [{ maxPieceSeconds: Number.NaN }, 'maxPieceSeconds is NaN, wanted at least 1.'],
        [{ maxNewTokens: 0 }, 'maxNewTokens is 0, wanted a whole number above 0.'],
        [{ maxNewTokens: 1.5 }, 'maxNewTokens is 1.5, wanted a whole number above 0.'],
      ] as const)
        expect((await rejection(asr.transcribe(files[0] as string, options))).message).toBe(message)
      const rate = await rejection(asr.transcribe(new Float32Array(16000), { sampleRate: 3 }))
      expect(rate.message).toBe('The file has 3 samples a second, wanted 1000 to 768000.')
    })
  })

  it('ends what is under way when it is disposed of, and then says that it is closed', async () => {
    const asr = await Qwen3Asr.load(model, { threads: 1 })
    const pending = [asr.transcribe(long), asr.transcribe(files[0] as string)].map(rejection)
    await asr.dispose()
    await asr.dispose()
    for (const error of await Promise.all(pending)) expect(error.message).toBe('The recognizer is closed.')
    expect((await rejection(asr.transcribe(long))).message).toBe('The recognizer is closed.')
  })

  it('refuses folders, variants, providers and counts that there are not', async () => {
    const refused = async (options: object, folder = model) => {
      const error = await rejection(Qwen3Asr.load(folder, options))
      expect(error).toBeInstanceOf(SpeechError)
      const { message, hint } = error as SpeechError
      return `${message} ${hint}`.replaceAll(root, '')
    }
    expect(await refused({}, path('nowhere'))).toContain('/nowhere holds no decoder graph.')
    expect(await refused({ variant: 'int9' })).toBe('/qwen3-asr-tiny has no variant int9. It has fp32, int4.')
    expect(await refused({ provider: 'abacus' })).toContain('no execution provider "abacus". It has cpu')
    expect(await refused({ threads: 0 })).toContain('threads is 0, wanted a whole number above 0.')
    expect(await refused({ layout: 'split', batch: 2 })).toContain('decodes one sequence at a time, not 2.')
    expect(await refused({ variant: 'fp32', prefill: 'int8' })).toBe(
      'fp32 in /qwen3-asr-tiny has no prompts in 8 bits. Leave prefill out, or choose another variant.',
    )
    const broken = await without('broken', /^embed_tokens/)
    await writeFile(join(broken, 'embed_tokens.bin'), 'short')
    expect(await refused({}, broken)).toContain('embed_tokens.bin has 5 bytes, wanted 114688')
    await rm(join(broken, 'embed_tokens.bin'))
    expect(await refused({}, broken)).toMatch(/embed_tokens\.bin cannot be read: ENOENT/)
    const other = await without('other-recipe', /^nothing$/)
    const recipe = JSON.parse(await readFile(join(other, 'decoder_prefill.int4.json'), 'utf8'))
    recipe.weights.pop()
    await writeFile(join(other, 'decoder_prefill.int4.json'), JSON.stringify(recipe))
    expect(await refused({}, other)).toContain('which its recipe does not describe.')
    await writeFile(join(other, 'decoder_weights.int4.data'), 'short')
    expect(await refused({}, other)).toContain('onnxruntime cannot load /other-recipe/decoder.int4.onnx: ')
  })

  it('reads releases of the split layout alone, and those without a graph for prompts', async () => {
    const old = await without('old', /^decoder(_prefill)?\.(int4\.)?(onnx|json)$|^decoder_prefill/)
    await withAsr(
      async (asr) => {
        expect([asr.layout, asr.prefill, asr.variant]).toEqual(['split', 'same', 'int4'])
        expect(asr.hasWordTimes).toBe(false)
        const heard = await Promise.all(files.slice(0, 3).map((file) => asr.transcribe(file)))
        for (const { segments } of heard) for (const { words } of segments) expect(words).toBe(undefined)
        expect(heard.map(({ text }) => plain(text))).toEqual(texts.slice(0, 3).map(plain))
      },
      {},
      old,
    )
    const plainFused = await without('plain-fused', /^decoder_prefill|^decoder_(init|step)/)
    await withAsr(
      async (asr) => {
        expect([asr.layout, asr.prefill]).toEqual(['fused', 'same'])
        expect(plain((await asr.transcribe(files[0] as string)).text)).toBe(plain(texts[0]))
      },
      {},
      plainFused,
    )
  })

  it('reads a release in the cache of the hub, where every file is a link to one of another name', async () => {
    const [blobs, snapshot] = [path('hub/blobs'), path('hub/snapshots/main')]
    await mkdir(blobs, { recursive: true })
    await mkdir(snapshot, { recursive: true })
    for (const name of await readdir(model)) {
      if (!/\.(onnx|data|bin|json)$/.test(name)) continue
      const blob = createHash('sha256').update(name).digest('hex')
      await cp(join(model, name), join(blobs, blob))
      await symlink(`../../blobs/${blob}`, join(snapshot, name))
    }
    for (const variant of ['fp32', 'int4']) {
      const heard = (folder: string) =>
        withAsr((asr) => asr.transcribe(files[0] as string), { variant }, folder)
      expect((await heard(snapshot)).text).toBe((await heard(model)).text)
    }
  })
})

describe('npm run transcribe', () => {
  const transcribe = (...args: readonly string[]): Promise<Ended> =>
    runCli([...args, '--threads', '1'], {}, MAIN)
  const withModel = (...args: readonly string[]) => transcribe(...args, '--model-dir', model)

  it('prints the text of one recording, and of several with their names, in order', async () => {
    const one = await withModel(files[0] as string)
    expect(one).toMatchObject({ exitCode: 0 })
    expect(plain(one.stdout.trim())).toBe(plain(texts[0]))
    const several = await withModel(...files)
    const lines = several.stdout.trimEnd().split('\n')
    expect(lines.map((line) => line.slice(0, line.indexOf(': ')))).toEqual(files)
    const right = lines.filter((line, i) => plain(line.slice(line.indexOf(': ') + 2)) === plain(texts[i]))
    expect(right.length).toBeGreaterThanOrEqual(14)
  })

  it('writes JSON and subtitles, to files of their own', async () => {
    const json = await withModel(
      files[0] as string,
      files[1] as string,
      '--format',
      'json',
      '--language',
      'en',
    )
    const objects = json.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(objects.map(({ file }) => file)).toEqual(files.slice(0, 2))
    expect(objects[0]).toMatchObject({
      variant: 'int4',
      layout: 'fused',
      prefill: 'int8',
      language: 'English',
    })
    expect(objects[0].segments[0]).toMatchObject({ text: objects[0].text, ending: 'end' })

    const folder = path('subtitles')
    const written = await withModel(...files.slice(0, 3), '--format', 'srt', '--output-dir', folder)
    expect(written).toMatchObject({ exitCode: 0, stdout: '' })
    expect((await readdir(folder)).length).toBe(3)
    const [name = ''] = await readdir(folder)
    expect(await readFile(join(folder, name), 'utf8')).toMatch(
      /^1\n00:00:\d\d,\d{3} --> 00:00:\d\d,\d{3}\n[A-Z].+\n/,
    )
  })

  it('continues after a recording that cannot be read, and says so at the end', async () => {
    const ended = await withModel(path('no.wav'), files[0] as string)
    expect(ended.exitCode).toBe(1)
    expect(ended.stderr).toContain('no.wav does not exist.')
    expect(plain(ended.stdout)).toContain(plain(texts[0]))
    const silence = path('silence.wav')
    await writeFile(
      silence,
      (await import('../../eval/runtime/audio/wav.ts')).encodeWav(new Float32Array(32000)),
    )
    const quiet = await withModel(silence, '--variant', 'fp32')
    expect(quiet.exitCode).toBe(0)
  })

  it('ends quietly when its reader has seen enough', async () => {
    const command = [process.execPath, ...builtCommand(MAIN)]
    const quoted = [...command, ...files, '--model-dir', model].map((part) => `'${part}'`).join(' ')
    const { stdout, stderr, exitCode } = await execa('bash', [
      ...['-c', `set -o pipefail; ${quoted} | head -n 1`],
    ])
    expect(stdout.startsWith(`${files[0]}: `)).toBe(true)
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
  })

  it('refuses what it cannot do, with the next thing to try', async () => {
    const [a = '', b = ''] = files
    const cases: [string[], number, RegExp][] = [
      [[], 2, /Found no recording, wanted at least one\./],
      [
        [a, b, '--format', 'srt', '--model-dir', model],
        2,
        /Subtitles of 2 recordings go to files of their own/,
      ],
      [
        [a, a, '--format', 'json', '--output-dir', path('twice'), '--model-dir', model],
        2,
        /would both be written to/,
      ],
      [[a, '--model-dir', path('none')], 1, /holds no decoder graph\.\nhint: Give a release directory/],
      [[a, '--model-dir', model, '--variant', 'int3'], 1, /no variant int3\.\nhint: It has fp32, int4\./],
      [[a, '--model-dir', model, '--language', 'elvish'], 2, /"elvish" is not a language/],
      [[a, '--model-dir', model, '--batch', '0'], 2, /--batch is 0, wanted a whole number above 0\./],
      [[a, '--model-dir', model, '--max-piece', '0.5'], 2, /--max-piece is 0.5, wanted at least 1 second\./],
      [[a, '--format', 'ass'], 2, /Invalid values/],
    ]
    for (const [args, exitCode, message] of cases) {
      const ended = await transcribe(...args)
      expect(ended.stderr).toMatch(message)
      expect(ended.exitCode).toBe(exitCode)
      expect(ended.stdout).toBe('')
    }
    expect((await transcribe('--help')).stdout).toContain('--output-dir')
  })
})
