import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readTokenizer } from '../../eval/tokenizer.ts'
import { alias } from '../../graph-tools/alias.ts'
import { openModel } from '../../graph-tools/model.ts'
import { exists, freshFolder, writeJson } from '../files.ts'
import { DECODERS, decoderData, graphFile, PREFILL, prefillRecipe } from '../layout.ts'
import { recipeOf } from '../prefill-recipe.ts'
import { writeProvenance } from '../provenance.ts'
import { runPython } from '../python.ts'
import { releaseConfig } from '../release-config.ts'
import type { Run, Stage } from '../stages.ts'
import { pythonOptions } from './export.ts'
import { shareDecoders } from './rewrite.ts'

/** int4 decoders by onnxruntime's quantizer, shared again natively; the encoder's int4 name; config.json. */
export const quantizeStage: Stage = {
  name: 'quantize',
  async inputs({ base, flag, options: { blockSize, accuracyLevel, symmetric, prefillInt8 } }) {
    return {
      ...{ base, flag },
      options: { blockSize, accuracyLevel, symmetric, prefillInt8 },
    }
  },
  outputs: ({ layout, options }) =>
    [
      ...(options.skipEncoder ? [] : [graphFile('encoder', 'int4')]),
      ...(options.skipDecoder
        ? []
        : [
            ...DECODERS.map((name) => graphFile(name, 'int4')),
            ...(options.prefillInt8 ? [graphFile(PREFILL, 'int4'), prefillRecipe('int4')] : []),
            decoderData('int4'),
          ]),
      'config.json',
    ].map((name) => join(layout.model, name)),
  async run(run) {
    const { model } = run.layout
    if (await exists(join(model, graphFile('decoder_init', '')))) await quantizeDecoders(run)
    const encoder = join(model, graphFile('encoder', ''))
    if (await exists(encoder)) {
      const kind = await alias(encoder, join(model, graphFile('encoder', 'int4')))
      run.emit({
        event: 'note',
        text: `${graphFile('encoder', 'int4')} is a ${kind} of ${graphFile('encoder', '')}`,
      })
    }
    await writeConfig(run)
    await writeProvenance(run)
  },
}

/** How the int4 weights were made, as config.json and the model card say it. */
export function quantizationTag({
  blockSize,
  accuracyLevel,
  symmetric,
}: Pick<Run['options'], 'blockSize' | 'accuracyLevel' | 'symmetric'>): string {
  const kind = symmetric ? 'symmetric' : 'asymmetric'
  return `int4 MatMulNBits round-to-nearest, block ${blockSize}, ${kind}, accuracy level ${accuracyLevel}`
}

const PREFILL_TAG =
  'the int4 weights as int8 with a scale for each column, activations uint8 with a scale for each row'

async function quantizeDecoders(run: Run): Promise<void> {
  const { blockSize, accuracyLevel, symmetric, prefillInt8 } = run.options
  const { model, work } = run.layout
  const out = join(work, 'quantize')
  await freshFolder(out)
  await runPython(
    'quantize.py',
    [
      ...['--models', ...DECODERS.map((name) => join(model, graphFile(name, ''))), '--out', out],
      ...['--block-size', String(blockSize), '--accuracy-level', String(accuracyLevel)],
      ...(symmetric ? ['--symmetric'] : []),
      ...(prefillInt8 ? ['--prefill', 'decoder'] : []),
    ],
    await pythonOptions(run, 'quantize'),
  )
  const names = [...DECODERS, ...(prefillInt8 ? [PREFILL] : [])]
  const open = (name: string) => ({ name, model: openModel(join(out, graphFile(name, 'int4'))), edits: [] })
  const recipe = join(model, prefillRecipe('int4'))
  await rm(recipe, { force: true })
  if (!prefillInt8) await rm(join(model, graphFile(PREFILL, 'int4')), { force: true })
  await shareDecoders(run, names.map(open), 'int4')
  if (prefillInt8) await writeJson(recipe, await recipeOf(model, blockSize))
  await rm(out, { recursive: true })
}

async function writeConfig(run: Run): Promise<void> {
  const { model } = run.layout
  const tokenizer = await readTokenizer(model)
  const tag = quantizationTag(run.options)
  const quantization = Object.fromEntries([
    ...['encoder', ...DECODERS].map((graph) => [graph, 'float32']),
    ['encoder.int4', 'float32'],
    ...DECODERS.map((graph) => [`${graph}.int4`, tag]),
    ...(run.options.prefillInt8 ? [[`${PREFILL}.int4`, PREFILL_TAG]] : []),
  ])
  const recipes = run.options.prefillInt8 ? [prefillRecipe('int4')] : []
  await writeJson(join(model, 'config.json'), releaseConfig(run.checkpoint, tokenizer, quantization, recipes))
}
