// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { parse } from 'yaml'
import type { Report } from '../../eval/report/report.ts'
import { PROJECT } from '../../eval/runtime/project.ts'
import { readTokenizer } from '../../eval/runtime/tokenizer.ts'
import { parseAlign } from '../../pipeline/commands/align-options.ts'
import { modelCard } from '../../pipeline/release/card.ts'
import type { GateResult } from '../../pipeline/release/gate-result.ts'
import type { Provenance } from '../../pipeline/release/provenance.ts'
import { recipeOf } from '../../pipeline/variants.ts'
import { exampleReport } from '../helpers/report-records.ts'

const SOFTWARE = { name: 'qwen3-asr-onnx', version: '1.2.0' }
const VARIANTS = ['fp32', 'int4']
const OPTIONS = { opset: 18, accuracyLevel: 4, symmetric: false, prefillInt8: true }
const WORDS = [
  { text: 'One', start: 0, end: 0.4 },
  { text: 'two', start: 0.5, end: 1 },
]

/** Aligned 40 ms late, int4's 80 ms; with times of the reference or without. */
const report = (hasTimes: boolean): Report =>
  exampleReport({
    ...{ systems: VARIANTS, datasets: ['digits'], count: 6, kinds: ['aligner', 'aligner'] },
    texts: () => ['One two', ''],
    more: (_, system) => ({
      pieces: [],
      timing: { mel: 0.1, encoder: 0.3, prefill: 0.2 },
      words: WORDS.map(({ text, start, end }) => ({
        text,
        start: start + 0.04 * (system + 1),
        end: end + 0.04 * (system + 1),
      })),
      ...(hasTimes && { referenceWords: WORDS }),
    }),
    settings: () => ({ layout: 'aligner', prefill: 'same' }),
  })

const moved = (gate: string, unit: 'share' | 'milliseconds', found: number): GateResult => ({
  ...{ gate, unit, found, limit: 20, pass: true, variant: 'int4', provider: 'cpu', clips: 84 },
  ...{ layout: 'aligner', prefill: 'int8', note: '1140 slots', fingerprints: {} },
})

async function cardOf(reports: readonly Report[] = []): Promise<string> {
  const family = 'aligner' as const
  const recipes = VARIANTS.flatMap((name) => {
    const recipe = recipeOf(name, { ...OPTIONS, family })
    return recipe ? [[name, recipe] as const] : []
  })
  const provenance: Provenance = {
    ...{
      model: 'Qwen/Qwen3-ForcedAligner-0.6B',
      flag: 'aligner',
      license: 'apache-2.0',
      languages: ['en', 'ja'],
    },
    ...{ options: OPTIONS, recipes: Object.fromEntries(recipes), checkpoint: [], providers: ['cpu'] },
    tools: { project: '1' },
  }
  const gates = [moved('slots moved', 'share', 0.021), moved('mean move', 'milliseconds', 3.4)]
  return modelCard({
    ...{
      name: 'aligner',
      command: 'npm run pipeline',
      software: SOFTWARE,
      files: [],
      charts: ['times.svg'],
      variants: VARIANTS,
    },
    evidence: {
      ...{ family, provenance, gates, claims: [], fidelity: [], reference: {}, problems: [] },
      ...{ reports, measured: reports },
    },
    tokenizer: await readTokenizer(join(PROJECT, 'test', 'fixtures', 'qwen3-aligner-tiny')),
    aligner: { classes: 5000, segmentMs: 80, languages: ['English', 'Japanese'], maxSeconds: 180 },
  })
}

it('is found as a forced aligner of its checkpoint, and in no table of error rates', async () => {
  const card = await cardOf([report(true)])
  expect(parse(card.split('---\n')[1] ?? '')).toEqual({
    ...{ license: 'apache-2.0', language: ['en', 'ja'], pipeline_tag: 'automatic-speech-recognition' },
    ...{ library_name: 'onnxruntime', base_model_relation: 'quantized' },
    base_model: 'Qwen/Qwen3-ForcedAligner-0.6B',
    tags: ['onnx', 'onnxruntime', 'qwen3_asr', 'forced-alignment', 'word-timestamps', 'int4'],
  })
})

it('says what it is, what it cannot do, and nothing of what it is not', async () => {
  const card = await cardOf([report(true)])
  expect(card).toContain('a forced aligner. It is given a recording and the text that is said in it')
  expect(card).toContain('\n- **Languages:** English, Japanese\n')
  expect(card).toContain('- Length: the graphs take recordings of at most 180 s: ')
  expect(card).toContain('npx qwen3-asr-onnx align recording.wav text.txt --format srt')
  expect(card).toContain("const folder = 'aligner-int4'\nconst aligner = await Qwen3Aligner.load(folder)")
  expect(card).toContain("Qwen3Asr.load('ASR_FOLDER', { aligner: folder })")
  expect(card).toContain('`aligner_prefill.int4.json` says')
  expect(card).toMatch(/- `int4` \(4-bit weights .*\): lm_head: int8 .*; int4 /)
  for (const other of [
    'WER',
    'word error',
    'decoder_',
    'decoder.',
    'KLD',
    'im_start',
    'npm run transcribe',
    'undefined',
  ])
    expect(card, other).not.toContain(other)
})

it('has the times of words, the speed, and what smaller weights do', async () => {
  const card = await cardOf([report(true)])
  expect(card).toContain('| variant | download | on disk | memory | mean error, digits | RTF |')
  expect(card).toMatch(/\| fp32 \| - \| 0 B \| 400 MB \| 40 ms \| 0\.\d+ \|/)
  expect(card).toMatch(/\| fp32 \| 40 ms \| 40 ms to 40 ms \| /)
  expect(card).toMatch(/\| int4 \| 80 ms \| .* \| \+80 ms \| .* \|/)
  expect(card).toContain('| int4 | 24 of 24 | 0 of 12 | 0 of 12 |')
  expect(card).toContain('![Mean error of the times of words of each variant with its interval](times.svg)')
  expect(card).toContain('| int4 | cpu, aligner with int8 prompts | 2.10 % | 3.4 ms | - |')
  expect(card).toContain('84 utterances of synthetic speech (1140 slots)')
})

it('says so when no times were measured', async () => {
  const card = await cardOf([report(false)])
  expect(card).toContain('No times were measured: the references of this speech have none.')
  expect(card).toMatch(/\| fp32 \| - \| 0 B \| 400 MB \| not measured \| 0\.\d+ \|/)
  expect(await cardOf()).toMatch(/\| fp32 \| - \| 0 B \| not measured \| not measured \| not measured \|/)
})

it('has commands that the parser takes', async () => {
  const card = (await cardOf()).replaceAll('\\\n', '')
  const lines = Array.from(card.matchAll(/^npx qwen3-asr-onnx align (.*)$/gm), ([, line = '']) =>
    line.split(/ +/),
  )
  const [short, long] = await Promise.all(lines.map((words) => parseAlign(words)))
  expect(short).toMatchObject({ modelDir: 'aligner-int4', format: 'srt' })
  expect(long).toMatchObject({ modelDir: 'aligner-int4' })
})
