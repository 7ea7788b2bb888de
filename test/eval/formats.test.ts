// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { resample } from '../../eval/runtime/audio/resample.ts'
import { encodeWav } from '../../eval/runtime/audio/wav.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { decodeBytes } from '../helpers/audio.ts'
import { convert, ffmpegPath } from '../helpers/ffmpeg.ts'

const FLAC = join(BUNDLED_SPEECH, 'held-out-002.flac')

/** The bundled clip as 16 kHz mono. */
async function original(): Promise<Float32Array> {
  return (await loadClip(FLAC)).samples
}

/** Decoded bytes as 16 kHz mono. */
async function heard(bytes: Uint8Array): Promise<Float32Array> {
  const { channels, sampleRate } = await decodeBytes(bytes)
  return resample(Float32Array.from(channels[0] ?? []), sampleRate, 16000)
}

/**
 * Signal to noise in dB, at the best shift within 0.15 s (codecs delay) and the best gain (mono made stereo is 3 dB
 * lower). Another resampler's transition band near 8 kHz alone leaves about 30 dB.
 */
function likeness(wanted: Float32Array, found: Float32Array): number {
  let best = 0
  for (let shift = -2400; shift <= 2400; shift++) {
    let [product, power, energy] = [0, 0, 0]
    for (let i = 2400; i < wanted.length - 2400; i += 3) {
      const [a, b] = [wanted[i] ?? 0, found[i + shift] ?? 0]
      product += a * b
      power += a ** 2
      energy += b ** 2
    }
    best = Math.max(best, product ** 2 / (power * energy || 1))
  }
  return -10 * Math.log10(1 - best)
}

afterEach(() => {
  delete process.env['FFMPEG_PATH']
})

describe('decodeAudio', () => {
  it.each([
    ['a.wav', ['-c:a', 'pcm_s24le'], 90],
    ['a.wav', ['-c:a', 'pcm_f32le', '-ar', '48000'], 25],
    ['a.flac', ['-ar', '44100', '-ac', '2'], 25],
    ['a.mp3', ['-b:a', '96k'], 12],
    ['a.mp3', ['-b:a', '128k', '-ar', '44100', '-ac', '2', '-id3v2_version', '0', '-write_xing', '0'], 12],
    ['a.opus', ['-b:a', '64k'], 10],
    ['a.ogg', ['-c:a', 'libvorbis', '-q:a', '6'], 12],
  ])('reads %s made with %j', async (name, args, decibels) => {
    const found = await heard(await convert(FLAC, name, args))
    const wanted = await original()
    expect(Math.abs(found.length - wanted.length)).toBeLessThan(1600)
    expect(likeness(wanted, found)).toBeGreaterThan(decibels)
  })

  it.each([
    ['a.m4a', ['-c:a', 'aac', '-b:a', '96k']],
    ['a.aac', ['-c:a', 'aac', '-b:a', '96k', '-f', 'adts']],
    ['a.aiff', []],
  ])('reads %s with ffmpeg, and says that it needs it', async (name, args) => {
    const bytes = await convert(FLAC, name, args)
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    expect(likeness(await original(), await heard(bytes))).toBeGreaterThan(12)
    process.env['FFMPEG_PATH'] = '/nowhere/ffmpeg'
    await expect(decodeBytes(bytes)).rejects.toThrow('others need ffmpeg, which is not on PATH.')
  })

  it('refuses what no decoder reads, with what ffmpeg says', async () => {
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    const bytes = Buffer.concat([Buffer.from('\x00\x01nothing'), Buffer.alloc(100)])
    await expect(decodeBytes(bytes)).rejects.toThrow(
      /begins with "\\u0000\\u0001no", and ffmpeg cannot read it: .*Invalid data/,
    )
  })

  it.each([
    ['<html><body>404 Not found</body></html>', '<html><body>404 '],
    ['ffconcat version 1.0\nfile a.wav\n#\x00\x01', 'ffconcat version'],
    [`#EXTM3U\n#EXT-X-TARGETDURATION:9\n#\xff${'x'.repeat(100)}`, '#EXTM3U\\n#EXT-X-T'],
  ])('refuses text, with which ffmpeg could open other files: %j', async (text, start) => {
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    await expect(decodeBytes(Buffer.from(text, 'latin1'))).rejects.toThrow(
      `The file holds text ("${start}"), wanted audio.`,
    )
  })

  it('says that a video has no sound', async () => {
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    const video = await convert('color=d=0.2:s=16x16', 'a.avi', [], ['-f', 'lavfi'])
    await expect(decodeBytes(video)).rejects.toThrow(
      'The file begins with "RIFF", and ffmpeg finds no sound in it.',
    )
  })

  it('reads what ffmpeg can decode of an AAC file that is cut off, with a note', async () => {
    process.env['FFMPEG_PATH'] = await ffmpegPath()
    const bytes = await convert(FLAC, 'a.aac', ['-c:a', 'aac', '-b:a', '96k', '-f', 'adts'])
    const { channels, notes } = await decodeBytes(bytes.subarray(0, bytes.length - 100))
    expect(likeness(await original(), Float32Array.from(channels[0] ?? []))).toBeGreaterThan(12)
    expect(notes).toEqual([
      expect.stringMatching(/^ffmpeg reports damage \(.+\); what it could decode was read\.$/),
    ])
    expect(notes[0]).not.toContain(' @ 0x')
  })

  it.each([
    ['a.mp3', ['-b:a', '96k']],
    ['a.opus', []],
    ['a.ogg', ['-c:a', 'libvorbis']],
  ])('never hangs on and never invents a damaged %s', async (name, args) => {
    const bytes = await convert(FLAC, name, args)
    const wanted = (await original()).length / 16000
    for (let i = 0; i < 12; i++) {
      const damaged = Buffer.from(bytes)
      damaged.fill(
        0xa5 + i,
        Math.floor((bytes.length * (i + 1)) / 16),
        Math.floor((bytes.length * (i + 1)) / 16) + 40,
      )
      const found = await decodeBytes(damaged).catch((error: Error) => error)
      if (found instanceof Error) expect(found.message).toContain('is damaged')
      else expect((found.channels[0]?.length ?? 0) / found.sampleRate).toBeLessThan(wanted + 0.2)
    }
  })

  it('finds a FLAC file whose samples do not have the MD5 that it announces', async () => {
    const bytes = Buffer.from(await readFile(FLAC))
    bytes[26 + 5] = (bytes[26 + 5] ?? 0) ^ 1 // STREAMINFO begins at byte 8, its MD5 18 bytes later
    await expect(decodeBytes(bytes)).rejects.toThrow('truncated or damaged')
  })

  it('writes WAV that it reads again', async () => {
    const samples = await original()
    const { channels, sampleRate } = await decodeBytes(encodeWav(samples))
    expect(sampleRate).toBe(16000)
    expect(channels).toEqual([[...samples]]) // the clip has 16 bits
  })
})
