import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DECODERS, ENCODER, FP32, graphFile, PREFILL, prefillRecipe } from '../../eval/runtime/graphs.ts'
import { readTokenizer } from '../../eval/runtime/tokenizer.ts'
import { alias } from '../../graph-tools/alias.ts'
import { openModel } from '../../graph-tools/model.ts'
import { runPython } from '../python/run-python.ts'
import { quantizationTags, type Recipe } from '../recipes.ts'
import { prefillWeightsOf } from '../release/prefill-recipe.ts'
import { writeProvenance } from '../release/provenance.ts'
import { releaseConfig } from '../release/write-config.ts'
import { exists, freshFolder, writeJson } from '../shared/output-files.ts'
import { decoderFiles, recipeOf, VARIANT_NAMES } from '../variants.ts'
import { pythonOptions } from './export-stage.ts'
import { shareDecoders } from './rewrite-stage.ts'
import type { Run, Stage } from './stage.ts'

/** Every variant's decoders by its recipe, shared again natively; the encoder under the variant's name; config.json. */
export const quantizeStage: Stage = {
  name: 'quantize',
  async inputs({ base, flag, options: { accuracyLevel, providers, ...options } }) {
    const recipes = options.variants.map((name) => [name, recipeOf(name, options)])
    return { base, flag, options: { accuracyLevel, recipes, providers } }
  },
  outputs: ({ paths, options }) =>
    [
      ...quantized(options).flatMap((variant) => [
        ...(options.skipEncoder ? [] : [graphFile(ENCODER, variant)]),
        ...(options.skipDecoder ? [] : decoderFiles(variant, options)),
      ]),
      'config.json',
    ].map((name) => join(paths.model, name)),
  async run(run) {
    const { model } = run.paths
    await removeOthers(run)
    for (const variant of quantized(run.options)) {
      const recipe = recipeOf(variant, run.options)
      if (recipe && (await exists(join(model, graphFile(DECODERS[0], FP32)))))
        await quantize(run, variant, recipe)
      if (await exists(join(model, graphFile(ENCODER, FP32)))) await nameEncoder(run, variant)
    }
    await writeConfig(run)
    await writeProvenance(run)
  },
}

function quantized({ variants }: Pick<Run['options'], 'variants'>): string[] {
  return variants.filter((name) => name !== FP32)
}

/** Variants of an earlier run that are not wanted now would pass for a part of this model. */
async function removeOthers({ options, paths }: Run): Promise<void> {
  const kept = options.variants.flatMap((name) => decoderFiles(name, options))
  const all = VARIANT_NAMES.flatMap((name) => decoderFiles(name, { prefillInt8: true }))
  const encoders = VARIANT_NAMES.filter((name) => !options.variants.includes(name) && name !== FP32)
  const others = [
    ...all.filter((file) => !kept.includes(file)),
    ...encoders.map((name) => graphFile(ENCODER, name)),
  ].filter((file) => !decoderFiles(FP32, options).includes(file))
  for (const file of others) await rm(join(paths.model, file), { force: true })
}

async function nameEncoder({ paths: { model }, emit }: Run, variant: string): Promise<void> {
  const [file, target] = [graphFile(ENCODER, variant), graphFile(ENCODER, FP32)]
  const kind = await alias(join(model, target), join(model, file))
  emit({ event: 'note', text: `${file} is a ${kind} of ${target}` })
}

async function quantize(run: Run, variant: string, recipe: Recipe): Promise<void> {
  const { model, work } = run.paths
  const out = join(work, 'quantize')
  await freshFolder(out)
  const recipeFile = join(out, 'recipe.json')
  await writeJson(recipeFile, { variant, ...recipe, accuracyLevel: run.options.accuracyLevel })
  const graphs = DECODERS.map((name) => join(model, graphFile(name, FP32)))
  await runPython(
    'quantize/quantize.py',
    ['--models', ...graphs, '--out', out, '--recipe', recipeFile],
    await pythonOptions(run, 'quantize'),
  )
  const names = [...DECODERS, ...(recipe.prompts === 'int8' ? [PREFILL] : [])]
  const open = (name: string) => ({ name, model: openModel(join(out, graphFile(name, variant))), edits: [] })
  const widening = join(model, prefillRecipe(variant))
  await rm(widening, { force: true })
  await shareDecoders(run, names.map(open), variant)
  if (recipe.prompts === 'int8') await writeJson(widening, await prefillWeightsOf(model, variant, recipe))
  await rm(out, { recursive: true })
}

async function writeConfig(run: Run): Promise<void> {
  const { options, paths, checkpoint } = run
  const tokenizer = await readTokenizer(paths.model)
  const recipes = new Map(options.variants.map((name) => [name, recipeOf(name, options)]))
  const tags = quantizationTags(recipes, options.accuracyLevel)
  await writeJson(join(paths.model, 'config.json'), releaseConfig(checkpoint, tokenizer, recipes, tags))
}
