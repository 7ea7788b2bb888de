// SPDX-License-Identifier: Apache-2.0

import { execFile } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { clipOfSamples, loadClip } from '../../eval/runtime/audio/clip.ts'
import { type AudioSource, openSpeech } from '../../eval/runtime/audio/speech-stream.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { fileOf } from '../helpers/audio.ts'
import { convert, ffmpegPath } from '../helpers/ffmpeg.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { floats, integers, wavOf } from '../helpers/wav.ts'

const FLAC = join(BUNDLED_SPEECH, 'held-out-002.flac')
const sine = (count: number, size = 0.5) => Array.from({ length: count }, (_, i) => size * Math.sin(i / 9))
const floatWav = (samples: readonly number[]) => wavOf(floats(samples), { tag: 3, bits: 32 })

async function collect(source: AudioSource, signal?: AbortSignal) {
  const stream = await openSpeech(source, signal)
  const blocks: Float32Array[] = []
  for await (const block of stream) blocks.push(block)
  const samples = blocks.flatMap((block) => [...block])
  return { samples, blocks: blocks.map(({ length }) => length), notes: stream.notes, stream }
}

afterEach(() => {
  vi.unstubAllEnvs()
  delete process.env['FFMPEG_PATH']
})

describe('samples that are not finite', () => {
  it.each([
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
  ])('%d in a file is refused by name and time', async (value, name) => {
    const samples = sine(32000)
    samples[24000] = value
    const path = await fileOf(floatWav(samples))
    await expect(loadClip(path)).rejects.toThrow(
      `${path}: The recording holds ${name} at 1.50 s, wanted finite samples.`,
    )
  })

  it('in the second channel too', async () => {
    const samples = sine(3200).flatMap((value, i) => [value, i === 1600 ? Number.NaN : value])
    const path = await fileOf(wavOf(floats(samples), { tag: 3, bits: 32, channels: 2 }))
    await expect(loadClip(path)).rejects.toThrow('holds NaN at 0.10 s')
  })

  it('from ffmpeg too', async () => {
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    const samples = sine(8000)
    samples[4000] = Number.NaN
    const path = await fileOf(
      await convert(await fileOf(floatWav(samples), 'a.wav'), 'a.caf', ['-c:a', 'pcm_f32le']),
    )
    await expect(loadClip(path)).rejects.toThrow(`${path}: The recording holds NaN at 0.25 s`)
  })

  it('from a program too', () => {
    const samples = Float32Array.from(sine(8000))
    samples[2000] = Number.NaN
    expect(() => clipOfSamples(samples, 8000)).toThrow('The recording holds NaN at 0.25 s')
  })
})

describe('samples above full scale', () => {
  it.each([16384, 32767, 1.5])(
    'of a float file with a peak of %d are divided by it, and that is said',
    async (peak) => {
      const samples = sine(3200, 1)
      const most = Math.fround(Math.max(...samples.map(Math.abs)) * peak)
      const { samples: found, notes } = await loadClip(
        await fileOf(floatWav(samples.map((value) => value * peak))),
      )
      expect(Math.max(...found.map(Math.abs))).toBe(1)
      for (const [i, value] of samples.entries()) expect(found[i]).toBeCloseTo((value * peak) / most, 5)
      expect(notes).toEqual([
        `Samples reach ${Number(most.toPrecision(6))} times full scale; all were divided by that.`,
      ])
    },
  )

  it('count after mixing: a loud channel beside a silent one may be within it', async () => {
    const samples = sine(3200, 1.5).flatMap((value) => [value, 0])
    const { notes } = await loadClip(await fileOf(wavOf(floats(samples), { tag: 3, bits: 32, channels: 2 })))
    expect(notes).toEqual([])
  })

  it('from a program and from ffmpeg too', async () => {
    const loud = sine(3200, 20000)
    const clip = clipOfSamples(Float32Array.from(loud), 16000)
    expect(Math.max(...clip.samples.map(Math.abs))).toBe(1)
    expect(clip.notes).toEqual(['Samples reach 20000 times full scale; all were divided by that.'])
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    const bytes = await convert(await fileOf(floatWav(loud), 'a.wav'), 'a.aiff', ['-c:a', 'pcm_f32be'])
    const file = await loadClip(await fileOf(bytes))
    expect(isEqual(file.samples, clip.samples)).toBe(true)
    expect(file.notes).toEqual(clip.notes)
  })

  it('of a lossy codec, a little above, are not a mistake', async () => {
    const square = Array.from({ length: 16000 }, (_, i) => (i % 80 < 40 ? 0.99 : -0.99))
    const { samples, notes } = await loadClip(
      await fileOf(
        await convert(await fileOf(wavOf(integers(square, 2)), 'a.wav'), 'a.mp3', ['-b:a', '32k']),
      ),
    )
    expect(Math.max(...samples.map(Math.abs))).toBeGreaterThan(1.01)
    expect(notes).toEqual([])
  })
})

describe('two channels', () => {
  const speech = async () => [...(await loadClip(FLAC)).samples]
  const stereo = async (of: (value: number, i: number) => readonly [number, number]) =>
    loadClip(await fileOf(wavOf(integers((await speech()).flatMap(of), 2), { channels: 2 })))

  it('in opposite phase: the louder one, with a note', async () => {
    const { samples, notes } = await stereo((value) => [0.7 * value, -0.75 * value])
    const wanted = (await speech()).map((value) => -0.75 * value)
    expect(Math.max(...samples.map((value, i) => Math.abs(value - (wanted[i] ?? 0))))).toBeLessThan(1e-4)
    expect(notes).toEqual([
      'The channels are in opposite phase for 1.6 of 1.6 s and cancel each other out; the louder one was taken there.',
    ])
  })

  it('in opposite phase do not alternate where the other becomes a little louder', async () => {
    const { samples } = await stereo((value, i) =>
      i < 16000 ? [value, -0.95 * value] : [0.95 * value, -value],
    )
    const wanted = (await speech()).map((value, i) => (i < 16000 ? 1 : 0.95) * value)
    expect(Math.max(...samples.map((value, i) => Math.abs(value - (wanted[i] ?? 0))))).toBeLessThan(1e-4)
  })

  it('with speech in one only, in none, or in both: their mean, without a note', async () => {
    for (const factors of [
      [1, 0],
      [0, 1],
      [1, 1],
      [0, 0],
      [1, 0.01],
      [1, -0.5],
    ] as const) {
      const { samples, notes } = await stereo((value) => [factors[0] * value, factors[1] * value])
      const wanted = (await speech()).map((value) => ((factors[0] + factors[1]) / 2) * value)
      expect(Math.max(...samples.map((value, i) => Math.abs(value - (wanted[i] ?? 0))))).toBeLessThan(1e-4)
      expect(notes).toEqual([])
    }
  })

  it('sixteen, of which one speaks: their mean, without a note', async () => {
    const data = (await speech()).slice(0, 16000).flatMap((value) => [value, ...Array<number>(15).fill(0)])
    const { samples, notes } = await loadClip(await fileOf(wavOf(integers(data, 2), { channels: 16 })))
    expect(samples[8000]).toBeCloseTo(((await speech())[8000] ?? 0) / 16, 5)
    expect(notes).toEqual([])
  })
})

describe('what is not a file', () => {
  /** A regular file whose first byte cannot be read, as on a broken disk. */
  const UNREADABLE: [string, string] = ['/proc/self/mem', '/proc/self/mem cannot be read (EIO).']

  it('is named at once', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'a folder'))
    await promisify(execFile)('mkfifo', [join(folder, 'a fifo')])
    await symlink('loop', join(folder, 'loop'))
    const cases: [string, string][] = [
      [join(folder, 'a folder'), `${join(folder, 'a folder')} is a directory, wanted an audio file.`],
      [join(folder, 'a fifo'), `${join(folder, 'a fifo')} is a FIFO, wanted an audio file.`],
      ['/dev/null', '/dev/null is a device, wanted an audio file.'],
      [join(folder, 'nothing'), `${join(folder, 'nothing')} does not exist.`],
      [join(FLAC, 'below'), `${join(FLAC, 'below')} does not exist.`],
      ['a\0b', '"a\\u0000b" holds a NUL character, which no file name does.'],
      ['', '"" does not exist.'],
      [join(folder, 'x'.repeat(300)), `${join(folder, 'x'.repeat(300))} cannot be read (ENAMETOOLONG).`],
      [join(folder, 'loop'), `${join(folder, 'loop')} is a link that leads to itself.`],
      ...(process.platform === 'linux' ? [UNREADABLE] : []),
    ]
    for (const [path, message] of cases) {
      const error = await openSpeech({ path }).catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(SpeechError)
      expect((error as Error).message).toBe(message)
    }
  })

  it('may be a URL, which nothing fetches', async () => {
    await expect(openSpeech({ path: 'https://example.com/a.wav' })).rejects.toMatchObject({
      message: 'https://example.com/a.wav does not exist.',
      hint: 'URLs are not fetched: download the file first.',
    })
  })
})

describe('a descriptor', () => {
  /** Feed a pipe with `bytes`, in parts. */
  async function piped<T>(bytes: Uint8Array, use: (fd: number) => Promise<T>): Promise<T> {
    const path = join(await temporaryFolder(), 'pipe')
    await promisify(execFile)('mkfifo', [path])
    const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const writing = openSync(path, constants.O_WRONLY)
    const result = use(reading)
    const write = async () => {
      for (let at = 0; at < bytes.length; at += 4000) {
        writeSync(writing, bytes.subarray(at, at + 4000))
        await new Promise(setImmediate)
      }
      closeSync(writing)
    }
    await Promise.all([write(), result.catch(() => {})])
    return result
  }
  it.each([
    ['WAV', 'a.wav', []],
    ['WAV of floats', 'a.wav', ['-c:a', 'pcm_f32le']],
    ['WAV of another codec', 'a.wav', ['-c:a', 'adpcm_ms']],
    ['FLAC', 'a.flac', []],
    ['MP3', 'a.mp3', []],
    ['M4A, which must be read backwards', 'a.m4a', ['-c:a', 'aac']],
  ])('gives %s as a file does, and leaves nothing behind', async (_what, name, args) => {
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    const bytes = await convert(FLAC, name, args)
    const folder = await temporaryFolder()
    vi.stubEnv('TMPDIR', folder)
    const wanted = await loadClip(await fileOf(bytes))
    const { samples, notes, stream } = await piped(bytes, (fd) =>
      collect({ fd, name: 'stdin', rawRate: 8000 }),
    )
    expect(isEqual(samples, wanted.samples)).toBe(true)
    expect(notes).toEqual(wanted.notes)
    expect(stream.sourceRate).toBe(wanted.sourceRate)
    expect((await readdir(folder)).filter((entry) => entry.startsWith('qwen3-asr-audio'))).toEqual([])
  })

  it('without a header is 16-bit mono at the rate that is given', async () => {
    // 0xff 0xff, as frames of MP3 begin.
    const values = [-1 / 32768, ...sine(16000)].map((value) => Math.round(value * 32768) / 32768 + 0)
    const data = integers(values, 2)
    const { samples, stream } = await piped(data, (fd) => collect({ fd, name: 'stdin', rawRate: 16000 }))
    expect(isEqual(samples, values)).toBe(true)
    expect(stream).toMatchObject({ sourceRate: 16000, sourceChannels: 1, notes: [] })
    await expect(piped(data, (fd) => collect({ fd, name: 'stdin' }))).rejects.toThrow(
      /^stdin: The file begins with /,
    )
  })

  it('is refused when it is empty or a folder', async () => {
    await expect(piped(Buffer.alloc(0), (fd) => collect({ fd, name: 'stdin' }))).rejects.toThrow(
      'stdin: The stream is empty (0 bytes).',
    )
    const fd = openSync(tmpdir(), 'r')
    await expect(openSpeech({ fd, name: 'stdin' })).rejects.toThrow('stdin is a directory, wanted audio.')
    closeSync(fd)
  })

  it('of a file stays open, wherever reading stops', async () => {
    const fd = openSync(FLAC, 'r')
    const stop = new AbortController()
    const stream = await openSpeech({ fd, name: 'stdin' }, stop.signal)
    for await (const _ of stream) break
    stop.abort()
    await new Promise(setImmediate)
    expect(fstatSync(fd).isFile()).toBe(true)
    closeSync(fd)
  })

  it('that nobody writes to is left when the signal comes', async () => {
    const path = join(await temporaryFolder(), 'pipe')
    await promisify(execFile)('mkfifo', [path])
    const reading = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const writing = openSync(path, constants.O_WRONLY)
    const stop = new AbortController()
    const reason = new Error('enough')
    const waiting = collect({ fd: reading, name: 'stdin' }, stop.signal)
    setTimeout(() => stop.abort(reason), 20)
    await expect(waiting).rejects.toBe(reason)
    closeSync(writing)
  })
})

describe('blocks', () => {
  it('are of ten seconds at most, and one signal ends them', async () => {
    const data = integers(sine(8000 * 45), 1).map((byte) => byte ^ 0x80)
    const path = await fileOf(wavOf(Buffer.from(data), { bits: 8, rate: 8000 }))
    const { blocks } = await collect({ path })
    expect(Math.max(...blocks)).toBeLessThanOrEqual(160_000)
    expect(blocks.reduce((sum, length) => sum + length, 0)).toBe(16000 * 45)
    const stop = new AbortController()
    const stream = await openSpeech({ path }, stop.signal)
    let count = 0
    const reading = (async () => {
      for await (const _ of stream) if (++count === 1) setImmediate(() => stop.abort(new Error('enough')))
    })()
    await expect(reading).rejects.toThrow('enough')
    expect(count).toBeLessThan(blocks.length)
  })

  it('of a program are stopped with it', async () => {
    // Writes for ever.
    const folder = await temporaryFolder()
    const head = join(folder, 'head.wav')
    await writeFile(head, wavOf(Buffer.alloc(0), { size: 0xffffffff }))
    const fake = join(folder, 'ffmpeg')
    await writeFile(fake, `#!/bin/sh\necho $$ > "${folder}/pid"\ncat "${head}" /dev/zero\n`, { mode: 0o755 })
    process.env['FFMPEG_PATH'] = fake
    const stream = await openSpeech({ path: await fileOf(Buffer.from('something else\0')) })
    let count = 0
    for await (const _ of stream) if (++count === 3) break
    const pid = Number(await readFile(join(folder, 'pid'), 'utf8'))
    await expect.poll(() => isRunning(pid)).toBe(false)
  })
})

/** A failure of toEqual prints thousands of numbers. */
function isEqual(one: ArrayLike<number>, other: ArrayLike<number>): boolean {
  return one.length === other.length && Array.from(one).every((value, i) => value === other[i])
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
