// SPDX-License-Identifier: Apache-2.0

import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { type Recognition, type RecognizeOptions, recognize } from '../../eval/runtime/recognize.ts'
import { loadRecognizer, type Recognizer, releaseRecognizer } from '../../eval/runtime/recognizer.ts'
import { SPECIAL_TOKENS } from '../../eval/runtime/tokenizer.ts'
import { contractProblems } from '../../graph-tools/contract.ts'
import { openModel } from '../../graph-tools/model.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { onnx } from '../helpers/onnx.ts'
import { sharedReleases } from '../helpers/prepared.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'
import { copyTinyRelease, TINY_NAME } from '../helpers/tiny-release.ts'

const CLIPS = 12
let model = ''
let clips: Float32Array[] = []

beforeAll(async () => {
  model = join(await sharedReleases(), TINY_NAME)
  const rows = await bundledRows(CLIPS)
  clips = await Promise.all(
    rows.map(async ({ file }) => (await loadClip(join(BUNDLED_SPEECH, file))).samples),
  )
})

interface Run {
  readonly tokens: readonly number[]
  readonly steps: number
  readonly language: string | undefined
}

/** All clips after each other, with the steps that each took. */
async function runAll(recognizer: Recognizer, options: RecognizeOptions = {}): Promise<Run[]> {
  let steps = 0
  const { step } = recognizer.decoder
  recognizer.decoder.step = (tokens) => {
    steps++
    return step(tokens)
  }
  const runs: Run[] = []
  for (const clip of clips) {
    steps = 0
    const { pieces, language }: Recognition = await recognize(recognizer, clip, options)
    runs.push({ tokens: pieces[0]?.tokens ?? [], steps, language })
  }
  recognizer.decoder.step = step
  return runs
}

describe('the draft of the language', () => {
  it.each([
    ['fp32', 'same'],
    ['int4', 'int8'],
  ] as const)(
    'saves the steps of a language that is that of the clip before, and changes no token: %s',
    async (variant, prefill) => {
      const options = { variant, prefill, threads: 1 }
      const steady = await loadRecognizer(model, { ...options, isSteady: true })
      const plain = await runAll(steady)
      await releaseRecognizer(steady)
      const recognizer = await loadRecognizer(model, options)
      const drafted = await runAll(recognizer)
      const forced = await runAll(recognizer, { language: 'English' })
      const { encode, idOf } = recognizer.tokenizer
      const wrong = [...encode('language German'), idOf(SPECIAL_TOKENS.asrText)]
      expect(wrong.length).toBeGreaterThan(2)
      recognizer.draft?.learn(wrong)
      const misled = await runAll(recognizer)
      await releaseRecognizer(recognizer)
      const saved = (runs: readonly Run[]) => runs.map(({ steps }, i) => (plain[i]?.steps ?? 0) - steps)
      expect(plain.every(({ tokens }) => tokens.length > 5)).toBe(true)
      expect(drafted.map(({ tokens }) => tokens)).toEqual(plain.map(({ tokens }) => tokens))
      expect(misled.map(({ tokens }) => tokens)).toEqual(plain.map(({ tokens }) => tokens))
      const languages = plain.map(({ language }) => language)
      expect(new Set(languages).size).toBeGreaterThan(1)
      // of "language German", "language" is right all the same
      const wanted = languages.slice(1).map((language, i) => (language === languages[i] ? 3 : 1))
      expect(wanted.filter((steps) => steps === 3).length).toBeGreaterThan(2)
      expect(saved(drafted)).toEqual([0, ...wanted])
      expect(saved(misled)).toEqual([languages[0] === 'German' ? 3 : 1, ...wanted])
      // a forced language stands in the prompt, where it costs no step
      const inEnglish = (counts: readonly number[]) => counts.filter((_, i) => languages[i] === 'English')
      expect(new Set(inEnglish(saved(forced)))).toEqual(new Set([3]))
    },
  )

  it('is left out for graphs of older releases, which have the logits of one position', async () => {
    const older = await copyTinyRelease()
    const path = join(older, 'decoder.int4.onnx')
    const proto = onnx.ModelProto.decode(await readFile(path))
    const shapes = [
      proto.graph?.input?.find(({ name }) => name === 'input_lengths'),
      proto.graph?.output?.[0],
    ]
    const [lengths, logits] = shapes.map((value) => value?.type?.tensorType?.shape?.dim)
    lengths?.splice(0, 1, { dimParam: 'B' })
    logits?.splice(1, 1, { dimValue: 1 })
    await rm(path)
    await writeFile(path, onnx.ModelProto.encode(proto).finish())
    expect(contractProblems('decoder.int4.onnx', openModel(path))).toEqual([])
    const recognizer = await loadRecognizer(older, { variant: 'int4', threads: 1 })
    expect(recognizer.decoder.takesDrafts).toBe(false)
    const [first, second] = await runAll(recognizer)
    await releaseRecognizer(recognizer)
    expect([first, second].map((run) => (run?.tokens.length ?? 0) - (run?.steps ?? 0))).toEqual([0, 0])
  })
})
