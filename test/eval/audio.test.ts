// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSpeechFolder } from '../../eval/dataset/folder-dataset.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { resample } from '../../eval/runtime/audio/resample.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { decodeBytes, fileOf } from '../helpers/audio.ts'

interface WavOptions {
  readonly rate?: number
  readonly bits?: number
  readonly tag?: number
  readonly extensible?: boolean
}

/** A WAV file of interleaved `frames`. */
function wav(
  frames: readonly (readonly number[])[],
  { rate = 16000, bits = 16, tag = 1, extensible }: WavOptions = {},
): Buffer {
  const channels = frames[0]?.length ?? 1
  const width = bits / 8
  const format = Buffer.alloc(extensible ? 40 : 16)
  format.writeUInt16LE(extensible ? 0xfffe : tag, 0)
  format.writeUInt16LE(channels, 2)
  format.writeUInt32LE(rate, 4)
  format.writeUInt16LE(bits, 14)
  if (extensible) format.writeUInt16LE(tag, 24)
  const data = Buffer.alloc(frames.length * channels * width)
  frames.flat().forEach((sample, i) => {
    const at = i * width
    if (tag === 3) bits === 32 ? data.writeFloatLE(sample, at) : data.writeDoubleLE(sample, at)
    else if (bits === 8) data.writeUInt8(128 + Math.round(sample * 128), at)
    else data.writeIntLE(Math.round(sample * 2 ** (bits - 1)), at, width)
  })
  const chunk = (id: string, body: Buffer) => {
    const size = Buffer.alloc(4)
    size.writeUInt32LE(body.length)
    return Buffer.concat([Buffer.from(id), size, body, Buffer.alloc(body.length % 2)])
  }
  const body = Buffer.concat([
    Buffer.from('WAVE'),
    chunk('LIST', Buffer.from('odd')),
    chunk('fmt ', format),
    chunk('data', data),
  ])
  return chunk('RIFF', body)
}

const mono = (samples: readonly number[]) => samples.map((sample) => [sample])
const VALUES = [0, 0.5, -0.5, -1, 0.25]

describe('WAV', () => {
  it.each([
    { bits: 8 },
    { bits: 16 },
    { bits: 24 },
    { bits: 32 },
    { bits: 32, tag: 3 },
    { bits: 64, tag: 3 },
    { bits: 24, extensible: true },
  ])('reads %o exactly', async (options) => {
    const { channels, sampleRate } = await decodeBytes(wav(mono(VALUES), options))
    expect(sampleRate).toBe(16000)
    expect(channels).toEqual([VALUES])
  })

  it('names an encoding it does not read', async () => {
    await expect(decodeBytes(wav(mono(VALUES), { tag: 17, bits: 8 }))).rejects.toThrow('format 17, 8 bits')
  })
})

describe('FLAC', () => {
  it('reads all bundled clips whole, and refuses them with a flipped bit or a cut end', async () => {
    const utterances = await readSpeechFolder(BUNDLED_SPEECH)
    const manifest = (await readFile(join(BUNDLED_SPEECH, 'manifest.jsonl'), 'utf8')).trim().split('\n')
    for (const [i, { path }] of utterances.entries()) {
      const bytes = await readFile(path ?? '')
      const { channels } = await decodeBytes(bytes)
      expect((channels[0]?.length ?? 0) / 16000).toBeCloseTo(JSON.parse(manifest[i] ?? '').seconds, 3)
      const flipped = Buffer.from(bytes)
      flipped[bytes.length >> 1] = (flipped[bytes.length >> 1] ?? 0) ^ 1
      await expect(decodeBytes(flipped)).rejects.toThrow('truncated or damaged')
      await expect(decodeBytes(bytes.subarray(0, bytes.length - 200))).rejects.toThrow('truncated or damaged')
    }
  })
})

describe('resample', () => {
  it.each([8000, 22050, 44100, 48000])('keeps a tone from %d Hz to better than 100 dB', (rate) => {
    const tone = (count: number, at: number) =>
      Float32Array.from({ length: count }, (_, i) => 0.5 * Math.sin((2 * Math.PI * 1000 * i) / at))
    const found = resample(tone(rate, rate), rate, 16000)
    expect(found.length).toBe(16000)
    const wanted = tone(16000, 16000)
    const middle = (values: Float32Array) => values.subarray(1000, 15000) // the ends have no neighbours
    const error = middle(found).reduce((sum, value, i) => sum + (value - (middle(wanted)[i] ?? 0)) ** 2, 0)
    const power = middle(wanted).reduce((sum, value) => sum + value ** 2, 0)
    expect(10 * Math.log10(power / error)).toBeGreaterThan(100)
  })

  it('removes what 16 kHz cannot hold', () => {
    const high = Float32Array.from(
      { length: 48000 },
      (_, i) => 0.5 * Math.sin((2 * Math.PI * 9000 * i) / 48000),
    )
    const left = resample(high, 48000, 16000).subarray(1000, 15000)
    expect(20 * Math.log10(Math.max(...left.map(Math.abs)) / 0.5)).toBeLessThan(-100)
  })
})

describe('loadClip', () => {
  it('mixes stereo to mono and resamples to 16 kHz', async () => {
    const frames = Array.from({ length: 44100 }, () => [0.5, -0.25])
    const clip = await loadClip(await fileOf(wav(frames, { rate: 44100 })))
    expect(clip).toMatchObject({ seconds: 1, sourceRate: 44100, sourceChannels: 2 })
    expect(clip.samples[8000]).toBeCloseTo(0.125, 4)
  })

  it.each([
    ['empty', Buffer.alloc(0), 'The file is empty (0 bytes).'],
    ['without samples', wav([]), 'has 0 samples at 16 kHz, wanted at least 160 (10 ms)'],
    ['too short', wav(mono(VALUES)), 'has 5 samples at 16 kHz, wanted at least 160 (10 ms)'],
    ['cut in its header', wav(mono(VALUES)).subarray(0, 30), 'has no'],
  ])('refuses a file that is %s', async (_what, bytes, message) => {
    const path = await fileOf(bytes)
    await expect(loadClip(path)).rejects.toThrow(message)
    await expect(loadClip(path)).rejects.toThrow(path)
  })

  it('names a file that is not there', async () => {
    await expect(loadClip('/nowhere/a.wav')).rejects.toThrow('/nowhere/a.wav does not exist.')
  })
})
