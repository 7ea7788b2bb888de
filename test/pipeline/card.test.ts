// SPDX-License-Identifier: Apache-2.0

import { expect, it } from 'vitest'
import { readTokenizer } from '../../eval/runtime/tokenizer.ts'
import { parseTranscribe } from '../../pipeline/commands/transcribe-options.ts'
import { modelCard } from '../../pipeline/release/card.ts'
import { downloadPatterns } from '../../pipeline/release/card-use.ts'
import type { GateResult } from '../../pipeline/release/gate-result.ts'
import type { ReleaseFile } from '../../pipeline/release/manifest-schema.ts'
import type { Provenance } from '../../pipeline/release/provenance.ts'
import type { Software } from '../../pipeline/shared/own-version.ts'
import { rowOf } from '../../pipeline/variants.ts'
import { TINY } from '../helpers/checkpoint.ts'

const SOFTWARE = { name: 'qwen3-asr-onnx', version: '1.2.0' }
const CALIBRATION = {
  ...{ positions: 90, versions: { torch: '2.13.0' } },
  clips: [{ id: 'call-7', sha256: 'abc', seconds: 12 }],
}

async function cardOf(
  variants: readonly string[],
  dataset: Record<string, unknown> = { name: 'calls' },
  more: { readonly software?: Software; readonly gates?: readonly GateResult[] } = {},
): Promise<string> {
  const recipes = Object.fromEntries(
    variants.flatMap((name) => {
      const { recipe } = rowOf(name)
      return recipe ? [[name, recipe]] : []
    }),
  )
  const provenance: Provenance = {
    ...{ model: 'someone/model', flag: 'someone/model', license: 'apache-2.0', languages: ['en'], recipes },
    options: { opset: 21, accuracyLevel: 4, symmetric: false, prefillInt8: true },
    ...{ checkpoint: [], providers: ['cpu'], tools: { project: '1' }, chosen: {} },
    calibration: { ...CALIBRATION, dataset },
  }
  const evidence = {
    family: 'asr' as const,
    provenance,
    gates: more.gates ?? [],
    claims: [],
    fidelity: [],
    reference: {},
    measured: [],
    reports: [],
    problems: [],
  }
  const tokenizer = await readTokenizer(TINY)
  return modelCard({
    ...{
      name: 'model',
      command: 'npm run pipeline',
      software: more.software ?? SOFTWARE,
      files: [],
      charts: [],
    },
    ...{ evidence, variants, tokenizer },
  })
}

it('names what compact alone has, and nothing else', async () => {
  const card = await cardOf(['compact'])
  for (const other of ['split', 'decoder_init', 'decoder_step', '`embed_tokens.bin` is', 'two layouts'])
    expect(card).not.toContain(other)
  expect(card).toContain('one fused graph for prompts and steps')
  expect(card).toContain(
    "`decoder.compact.onnx` with the prompt's rows of the table of `embed_tokens.compact.json`",
  )
  expect(card).toContain('row v of the output layer, which `decoder_weights.compact.data` holds')
  expect(card).toContain('`row[h] = (q[h] - zero_point) * scale`')
})

it('says which of several variants has the fused layout alone', async () => {
  const card = await cardOf(['fp32', 'int4', 'compact'])
  expect(card).toContain('comes in two layouts')
  expect(card).toContain('\ncompact: the fused graph only.')
  expect(card).toContain('The split layout: `decoder_init.onnx`')
  expect(card).toContain('`embed_tokens.bin` is FP16.')
  const both = await cardOf(['fp32', 'int4'])
  expect(both).not.toContain('fused graph only')
  expect(both).not.toContain('embed_tokens.compact.json')
})

it('names the speech that variants were calibrated on', async () => {
  const of = async (dataset: Record<string, unknown>) => {
    const card = (await cardOf(['int4-hq'], dataset)).replaceAll('\n', ' ')
    return /int4-hq was calibrated on (.*?) \(12 s;/.exec(card)?.[1]
  }
  expect(await of({ name: 'calls' })).toBe('1 recordings of the dataset calls')
  expect(await of({ name: 'x', repo: 'openslr/librispeech_asr' })).toBe(
    '1 recordings of the dataset openslr/librispeech_asr',
  )
  expect(await of({ name: 'calibration', isBundled: true })).toBe(
    '1 recordings of synthetic English speech (espeak-ng) that ships with the project',
  )
})

it('leads back to the software that made it', async () => {
  const commit = '0123456789abcdef0123456789abcdef01234567'
  const repository = 'https://git.example.org/owner/tool'
  const lineOf = async (software: Software) => {
    const card = await cardOf(['fp32'], {}, { software })
    return /^- \*\*Made with:\*\* (.*)$/m.exec(card)?.[1]
  }
  const own = { name: 'tool', version: '1.2.0' }
  expect(await lineOf(own)).toBe('tool 1.2.0')
  expect(await lineOf({ ...own, commit, dirty: false })).toBe('tool 1.2.0, commit `0123456789ab`')
  expect(await lineOf({ ...own, repository, commit, dirty: true })).toBe(
    `[tool](${repository}) 1.2.0, commit [\`0123456789ab\`](${repository}/commit/${commit}), with changes that were not committed`,
  )
  const card = await cardOf(['fp32'], {}, { software: { ...own, repository } })
  expect(card).toContain(`With the package \`tool\` of [the project](${repository}), recordings`)
  expect(card).toContain(`\nwith [tool](${repository}) 1.2.0. Graphs and archives`)
})

it('explains the gates that its table has, and no others', async () => {
  const gate = (name: string): GateResult => ({
    ...{ gate: name, variant: 'fp32', provider: 'cpu', layout: 'fused', prefill: 'same' },
    ...{ found: 0, limit: 1, pass: name !== 'WER', fingerprints: {} },
  })
  const card = await cardOf(['fp32'], {}, { gates: [gate('mel'), gate('WER')] })
  expect(card).toContain('- **Checked:** 1 of 2 gates passed\n')
  expect(card.match(/^- .*: (the largest|the word error|the share|what).*$/gm)).toEqual([
    '- mel: the largest absolute difference from PyTorch, or the number of ids and tokens that differ',
    '- WER: the word error rate on the speech of the evaluation',
  ])
  expect(card).not.toMatch(/^- :/m)
})

it('has commands that the parser takes', async () => {
  const words = /^npx qwen3-asr-onnx transcribe (.*)$/m.exec(await cardOf(['int4']))?.[1]?.split(' ') ?? []
  expect(words).toEqual(['speech.mp3', '--model-dir', 'model-int4'])
  await expect(parseTranscribe(words)).resolves.toMatchObject({ modelDir: 'model-int4' })
})

it('has a Python program for a variant with embed_tokens.bin alone', async () => {
  expect(await cardOf(['compact'])).not.toContain('```python')
  expect(await cardOf(['compact', 'fp32'])).toContain('python transcribe.py model speech.wav')
  expect(await cardOf(['fp32', 'int4', 'compact'])).toContain('python transcribe.py model-int4 speech.wav')
})

const file = (path: string, variants: string[], role: ReleaseFile['role'] = 'decoder'): ReleaseFile => ({
  ...{ path, variants, role, size: 1, sha256: '' },
})
const FILES = [
  ...[
    file('encoder.onnx', ['fp32', 'int4']),
    file('decoder.onnx', ['fp32']),
    file('embed_tokens.bin', ['fp32', 'int4']),
  ],
  ...[file('config.json', ['fp32', 'int4', 'int4-hq']), file('decoder.int4.onnx', ['int4'])],
  ...[file('encoder.int4-hq.onnx', ['int4-hq']), file('model-int4.tar.gz', ['int4'], 'archive')],
]
it.each([
  ['fp32', ['*.json', 'encoder.onnx', 'decoder.onnx', 'embed_tokens.bin']],
  ['int4', ['*.json', '*.int4.*', 'encoder.onnx', 'embed_tokens.bin']],
  ['int4-hq', ['*.json', '*.int4-hq.*']],
])('fetches %s by %j', (variant, patterns) => expect(downloadPatterns(FILES, variant)).toEqual(patterns))
