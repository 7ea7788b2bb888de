// SPDX-License-Identifier: Apache-2.0

import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { normalizedWords } from '../../eval/normalize/normalizers.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { recognize } from '../../eval/runtime/recognize.ts'
import { loadRecognizer, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import { addErrors, alignWords, countErrors, NO_ERRORS, wordErrorRate } from '../../eval/wer.ts'
import { USUAL_CALIBRATION } from '../../pipeline/calibration-choice.ts'
import { divergence, meanOf } from '../../pipeline/gates/position.ts'
import { BUNDLED_SPEECH, MODELS } from '../../pipeline/models.ts'
import { runPython } from '../../pipeline/python/run-python.ts'
import { calibrate } from '../../pipeline/quantize/calibration.ts'
import type { Recipe } from '../../pipeline/recipe-schema.ts'
import { makeTwin } from '../../scripts/outlier-twin.ts'
import { runCli } from '../helpers/cli.ts'
import type { Decoded, DecodingJob } from '../helpers/kernel-decoding.ts'
import { onKernels } from '../helpers/kernel-job.ts'
import { MADE } from '../helpers/places.ts'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

/* The twin has the tiny model's function, with activations that 8-bit products cannot bear without smoothing. */

/** All held-out clips for what must be right, a part of them for what must be wrong. */
const [ALL_CLIPS, SOME_CLIPS] = [70, 20]
const CALIBRATION_CLIPS = 16
/** Of which the divergence from FP32 is taken. */
const FOLLOWED_CLIPS = 10
/** An answer that is lost may go on for long: this is more than any of the clips needs. */
const MOST_TOKENS = 60
const PLACE = join(MADE, 'twin')
const NAME = 'twin'

let [tiny, twin] = ['', '']
beforeAll(async () => {
  tiny = join(await sharedReleases(), TINY_NAME)
  const checkpoint = join(PLACE, 'checkpoint', NAME)
  await makeTwin(MODELS.tiny.source.folder, checkpoint)
  const made = await runCli([
    '--model',
    checkpoint,
    '--output',
    PLACE,
    '--variants',
    'fp32',
    '--until',
    'quantize',
  ])
  expect(made).toMatchObject({ exitCode: 0 })
  twin = join(PLACE, NAME)
})

it('FP32 computes the tiny model bit for bit', async () => {
  const decode = (folder: string) => {
    const job: DecodingJob = {
      folder,
      paths: [
        { variant: 'fp32', layout: 'fused', prefill: 'same' },
        { variant: 'fp32', layout: 'split', prefill: 'same' },
      ],
      clips: [0, 10, 22].map((i) => join(BUNDLED_SPEECH, `held-out-0${String(i).padStart(2, '0')}.flac`)),
    }
    return onKernels<{ decoded: Decoded[][] }>('native', 'kernel-decoding.ts', job)
  }
  const [wanted, found] = [await decode(tiny), await decode(twin)]
  expect(wanted.decoded.flat().every(({ tokens }) => tokens.length > 5)).toBe(true)
  expect(found.decoded).toEqual(wanted.decoded)
})

describe('products of int8 by columns', () => {
  const folder = join(PLACE, 'recipes')
  let calibration = ''
  let followed: Decoded[] = []
  beforeAll(async () => {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder)
    for (const name of await readdir(twin))
      if (/\.(onnx|data|bin|json)$/.test(name)) await link(join(twin, name), join(folder, name))
    const made = await calibrate({
      ...{ ...USUAL_CALIBRATION, clips: CALIBRATION_CLIPS, model: twin, work: PLACE, threads: 1 },
      ...{ judged: new Map(), emit: () => undefined, signal: new AbortController().signal },
      python: await pythonOptions(),
    })
    calibration = made.folder
    followed = await followedOn('fp32')
  })

  it.each([
    ['fail without smoothing', undefined, [0.3, 100], [1, 100], SOME_CLIPS],
    ['are mended by SmoothQuant', 'smoothquant:0.5', [0, 0.015], [0, 0.001], ALL_CLIPS],
    ['are mended in part by the older formula', 'awq:0.2', [0.05, 1], [0.01, 1], SOME_CLIPS],
  ])('%s', async (_, smooth, wer, kld, clips) => {
    const variant = smooth?.replace(/\W/g, '-') ?? 'naive'
    const recipe: Recipe = { decoder: [['*', 'i8']], ...(smooth !== undefined && { smooth }) }
    const file = join(folder, 'recipe.txt')
    await writeFile(file, JSON.stringify({ variant, ...recipe, accuracyLevel: 4 }))
    await python('quantize.py', [
      ...['--models', join(twin, 'decoder.onnx'), '--out', folder, '--recipe', file],
      ...(smooth === undefined ? [] : ['--calibration', calibration]),
    ])
    expectWithin(await measureWer(folder, variant, clips), wer)
    const lost = await followedOn(variant)
    expectWithin(meanOf(followed.flatMap((wanted, i) => divergences(wanted, lost[i]))), kld)
  })

  async function python(script: string, args: readonly string[]): Promise<void> {
    await runPython(`quantize/${script}`, [...args], await pythonOptions())
  }

  async function pythonOptions() {
    return {
      ...{ python: await stagePython(), log: join(folder, 'log'), onProgress: () => undefined },
      signal: new AbortController().signal,
    }
  }

  /** What a variant says along FP32's tokens. */
  async function followedOn(variant: string): Promise<Decoded[]> {
    const job: DecodingJob = {
      ...{ folder, paths: [{ variant, layout: 'fused', prefill: 'same' }], clips: clipsOf(FOLLOWED_CLIPS) },
      ...(followed.length > 0 && { along: [followed] }),
    }
    const { decoded } = await onKernels<{ decoded: Decoded[][] }>('native', 'kernel-decoding.ts', job)
    return decoded[0] ?? []
  }
})

function expectWithin(found: number, [least = 0, most = 0]: readonly number[]): void {
  expect(found).toBeGreaterThanOrEqual(least)
  expect(found).toBeLessThanOrEqual(most)
}

/** Of each position, in nats. */
function divergences(wanted: Decoded, found: Decoded | undefined): number[] {
  const [all, own] = [wanted.logits, found?.logits ?? ''].map(
    (base64) => new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer),
  ) as [Float32Array, Float32Array]
  expect(own.length).toBe(all.length)
  const width = all.length / wanted.tokens.length
  return wanted.tokens.map((_, i) =>
    divergence(own.subarray(i * width, (i + 1) * width), all.subarray(i * width, (i + 1) * width)),
  )
}

function clipsOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) =>
    join(BUNDLED_SPEECH, `held-out-${String(i).padStart(3, '0')}.flac`),
  )
}

/** WER of a variant on the first held-out clips. */
async function measureWer(folder: string, variant: string, clips: number): Promise<number> {
  const lines = (await readFile(join(BUNDLED_SPEECH, 'manifest.jsonl'), 'utf8')).split('\n').slice(0, clips)
  const recognizer = await loadRecognizer(folder, { variant, threads: 1 })
  let errors = NO_ERRORS
  for (const line of lines) {
    const { file, text } = JSON.parse(line) as { file: string; text: string }
    const { samples } = await loadClip(join(BUNDLED_SPEECH, file))
    const heard = await recognize(recognizer, samples, { maxNewTokens: MOST_TOKENS })
    const words = [text, heard.text].map((one) => normalizedWords(one, 'basic'))
    errors = addErrors(errors, countErrors(alignWords(words[0] ?? [], words[1] ?? [])))
  }
  await releaseRecognizer(recognizer)
  return wordErrorRate(errors)
}
