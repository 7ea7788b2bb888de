import { expect, it } from 'vitest'
import { readTokenizer } from '../../eval/runtime/tokenizer.ts'
import { modelCard } from '../../pipeline/release/card.ts'
import type { Provenance } from '../../pipeline/release/provenance.ts'
import { rowOf } from '../../pipeline/variants.ts'
import { TINY } from '../helpers/checkpoint.ts'

const CALIBRATION = {
  ...{ positions: 90, versions: { torch: '2.13.0' } },
  clips: [{ id: 'call-7', sha256: 'abc', seconds: 12 }],
}

async function cardOf(
  variants: readonly string[],
  dataset: Record<string, unknown> = { name: 'calls' },
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
    gates: [],
    claims: [],
    fidelity: [],
    reference: {},
    measured: [],
    reports: [],
    problems: [],
  }
  const tokenizer = await readTokenizer(TINY)
  return modelCard({
    ...{ name: 'model', command: 'npm run pipeline', files: [], charts: [] },
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
