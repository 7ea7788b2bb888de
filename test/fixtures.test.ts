// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSpeechFolder } from '../eval/dataset/folder-dataset.ts'
import { hashFile } from '../eval/hash-file.ts'
import { loadClip } from '../eval/runtime/audio/clip.ts'
import { hashSamples } from '../eval/runtime/audio/sample-hash.ts'
import { PROJECT } from '../eval/runtime/project.ts'
import type { TimedWord } from '../eval/runtime/timed-word.ts'
import { readCheckpoint } from '../pipeline/checkpoint/checkpoint.ts'
import { BUNDLED_SPEECH, CALIBRATION_SPEECH, MODELS } from '../pipeline/models.ts'

async function bytesIn(folder: string): Promise<number> {
  const infos = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
  return infos.reduce((sum, { size }) => sum + size, 0)
}

function valuesOf(tensors: Readonly<Record<string, { readonly shape: readonly number[] }>>): number {
  return Object.values(tensors).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0)
}

interface Line {
  readonly text: string
  readonly seconds: number
  readonly language: string
  readonly speaker: string
  readonly file: string
  readonly words: readonly TimedWord[]
}

async function linesOf(folder: string): Promise<Line[]> {
  const lines = (await readFile(join(folder, 'manifest.jsonl'), 'utf8')).trim().split('\n')
  return lines.map((line) => JSON.parse(line))
}

async function trainingVoices(): Promise<string[]> {
  const source = await readFile(join(PROJECT, 'python', 'tiny', 'tiny_speech.py'), 'utf8')
  return /TRAIN_VARIANTS = \(([^)]*)\)/.exec(source)?.[1]?.match(/[\w]+/g) ?? []
}

/** Every clause that is said: held-out clips of three sentences hold three. */
const clausesOf = (lines: readonly Line[]) =>
  new Set(lines.flatMap(({ text }) => text.split('.')).flatMap((text) => text.trim() || []))

async function samplesOf(folder: string): Promise<Set<string>> {
  const utterances = await readSpeechFolder(folder)
  const clips = utterances.map(async ({ path = '' }) => hashSamples((await loadClip(path)).samples))
  return new Set(await Promise.all(clips))
}

describe('the bundled checkpoint and speech', () => {
  it('the checkpoint is the true architecture in at most 6 MB, with a card that has recipe, seed and WER', async () => {
    const { folder } = MODELS.tiny.source
    expect(await bytesIn(folder)).toBeLessThanOrEqual(6e6)
    const { format, tensors } = await readCheckpoint(folder)
    expect(format).toBe('native')
    expect(valuesOf(tensors)).toBe(1_360_704)
    const card = await readFile(join(folder, 'README.md'), 'utf8')
    expect(card).toMatch(/--seed \d+/)
    expect(Number(/WER (\d+\.\d+) %/.exec(card)?.[1])).toBeLessThanOrEqual(3)
  })

  it('the forced aligner is one in the same shape, in at most 3 MB, for the languages that it was trained for', async () => {
    const folder = join(PROJECT, 'test', 'fixtures', 'qwen3-aligner-tiny')
    expect(await bytesIn(folder)).toBeLessThanOrEqual(3e6)
    const { format, aligner, text_config: text, audio_config: audio, tensors } = await readCheckpoint(folder)
    expect(format).toBe('native')
    expect(aligner).toEqual({
      ...{ classes: 160, segment_ms: 80, timestamp_token_id: 448, languages: ['English', 'German'] },
    })
    const recognizer = await readCheckpoint(MODELS.tiny.source.folder)
    expect(audio).toEqual(recognizer.audio_config)
    expect(text).toEqual({ ...recognizer.text_config, vocab_size: 449, tie_word_embeddings: false })
    expect(valuesOf(tensors)).toBe(1_381_312)
    expect(await hashFile(join(folder, 'model.safetensors'), 'sha256')).toBe(
      'a986cf798119a1069e6b1e652b286d624acb5107e81feb13ebfa01b95c3e0c41',
    )
    const card = await readFile(join(folder, 'README.md'), 'utf8')
    expect(card).toMatch(/--seed \d+/)
    expect(Number(/mean absolute error (\d+\.\d) ms/.exec(card)?.[1])).toBeLessThanOrEqual(60)
  })

  it('the speech is at least 60 clips in at most 4 MB, some over 10 s, in both languages, by voices that training did not have', async () => {
    expect(await bytesIn(BUNDLED_SPEECH)).toBeLessThanOrEqual(4e6)
    const clips = await linesOf(BUNDLED_SPEECH)
    expect(clips.length).toBeGreaterThanOrEqual(60)
    expect(clips.filter(({ seconds }) => seconds > 10).length).toBeGreaterThanOrEqual(3)
    expect(new Set(clips.map(({ language }) => language))).toEqual(new Set(['English', 'German']))
    const trained = await trainingVoices()
    expect(trained.length).toBeGreaterThan(20)
    for (const { speaker } of clips) expect(trained).not.toContain(speaker.split('+')[1])
  })

  it('the calibration speech is 24 to 32 clips of training voices in at most 1.2 MB, apart from the held-out speech', async () => {
    expect(await bytesIn(CALIBRATION_SPEECH)).toBeLessThanOrEqual(1.2e6)
    const clips = await linesOf(CALIBRATION_SPEECH)
    expect(clips.length).toBe(32)
    expect(clips.reduce((sum, { seconds }) => sum + seconds, 0)).toBeCloseTo(64.1, 1)
    expect(new Set(clips.map(({ language }) => language))).toEqual(new Set(['English', 'German']))
    const trained = await trainingVoices()
    for (const { speaker } of clips) expect(trained).toContain(speaker.split('+')[1])

    const [own, heldOut] = [clausesOf(clips), clausesOf(await linesOf(BUNDLED_SPEECH))]
    expect([own.size, heldOut.size]).toEqual([32, 80])
    expect([...own].filter((clause) => heldOut.has(clause))).toEqual([])
    const [samples, evaluated] = [await samplesOf(CALIBRATION_SPEECH), await samplesOf(BUNDLED_SPEECH)]
    expect([samples.size, evaluated.size]).toEqual([32, 70])
    expect([...samples].filter((hash) => evaluated.has(hash))).toEqual([])
  })

  it.each([
    ['held-out', BUNDLED_SPEECH, 458, 23],
    ['calibration', CALIBRATION_SPEECH, 178, 4],
  ])(
    'each word of the %s speech has its times; some function words have them together',
    async (_, folder, words, joined) => {
      const lines = await linesOf(folder)
      const all = lines.flatMap((line) => line.words)
      expect([all.length, all.filter(({ text }) => text.includes(' ')).length]).toEqual([words, joined])
      for (const line of lines) {
        expect(line.words.map(({ text }) => text).join(' ')).toBe(line.text)
        const times = line.words.flatMap(({ start, end }) => [start, end])
        expect(times).toEqual(times.toSorted((a, b) => a - b))
        expect(line.words.every(({ start, end }) => start < end && end < line.seconds)).toBe(true)
      }
    },
  )

  it.each([
    ['held-out', BUNDLED_SPEECH],
    ['calibration', CALIBRATION_SPEECH],
  ])('words of the %s speech beside pauses have sound up to their ends', async (_, folder) => {
    for (const { file, words } of await linesOf(folder)) {
      const { samples, seconds } = await loadClip(join(folder, file))
      const peak = (from: number, to: number) =>
        samples
          .subarray(16_000 * from, 16_000 * to)
          .reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      for (const [i, { end }] of words.entries()) {
        const next = words[i + 1]?.start ?? seconds
        if (next === end) continue
        expect(peak(end - 0.05, end), `${file}, before ${end} s`).toBeGreaterThan(0.02)
        expect(peak(end + 0.05, next), `${file}, after ${end} s`).toBeLessThan(0.01)
        if (next < seconds) expect(peak(next, next + 0.1), `${file}, after ${next} s`).toBeGreaterThan(0.02)
      }
    }
  })
})
