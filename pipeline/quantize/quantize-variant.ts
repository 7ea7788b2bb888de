import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ENCODER, FP32, graphFile, PREFILL, prefillRecipe } from '../../eval/runtime/graphs.ts'
import { alias } from '../../graph-tools/alias.ts'
import { openModel } from '../../graph-tools/model.ts'
import { runPython } from '../python/run-python.ts'
import type { Recipe } from '../recipe-schema.ts'
import { decodersOf } from '../recipes.ts'
import { prefillWeightsOf } from '../release/prefill-recipe.ts'
import { exists, freshFolder, writeJson } from '../shared/output-files.ts'
import { type Sharing, shareDecoders } from './share-decoders.ts'

/** Where a variant is made of FP32's graphs, and whom to say so. */
export interface Making extends Omit<Sharing, 'folder'> {
  /** release directory with FP32's graphs */
  readonly from: string
  /** where the variant's files go: `from` itself, or a folder that has its `embed_tokens.bin` too */
  readonly to: string
  /** for intermediate files; it is emptied */
  readonly work: string
  readonly python: Parameters<typeof runPython>[2]
}

/** What else decides about the weights than the recipe. */
interface QuantizeOptions {
  /** of MatMulNBits */
  readonly accuracyLevel: number
}

/**
 * Make a variant of FP32's graphs: what is not there of FP32 is left out.
 * @throws Failure when the recipe does not fit the graphs
 */
export async function quantizeVariant(
  making: Making,
  variant: string,
  recipe: Recipe,
  options: QuantizeOptions,
): Promise<void> {
  const [first = ''] = decodersOf(recipe)
  if (await exists(join(making.from, graphFile(first, FP32))))
    await quantizeDecoders(making, variant, recipe, options)
  if (await exists(join(making.from, graphFile(ENCODER, FP32)))) await nameEncoder(making, variant)
}

async function nameEncoder({ from, to, emit }: Making, variant: string): Promise<void> {
  const [file, target] = [graphFile(ENCODER, variant), graphFile(ENCODER, FP32)]
  const kind = await alias(join(from, target), join(to, file))
  emit({ event: 'note', text: `${file} is a ${kind} of ${target}` })
}

async function quantizeDecoders(
  { from, to, work, python, ...sharing }: Making,
  variant: string,
  recipe: Recipe,
  { accuracyLevel }: QuantizeOptions,
): Promise<void> {
  await freshFolder(work)
  const recipeFile = join(work, 'recipe.json')
  await writeJson(recipeFile, { variant, ...recipe, accuracyLevel })
  const decoders = decodersOf(recipe)
  await runPython(
    'quantize/quantize.py',
    [
      '--models',
      ...decoders.map((name) => join(from, graphFile(name, FP32))),
      ...['--out', work, '--recipe', recipeFile],
    ],
    python,
  )
  const names = [...decoders, ...(recipe.prompts === 'int8' ? [PREFILL] : [])]
  const open = (name: string) => ({ name, model: openModel(join(work, graphFile(name, variant))), edits: [] })
  const widening = join(to, prefillRecipe(variant))
  await rm(widening, { force: true })
  await shareDecoders({ folder: to, ...sharing }, names.map(open), variant)
  if (recipe.prompts === 'int8') await writeJson(widening, await prefillWeightsOf(to, variant, recipe))
  await rm(work, { recursive: true })
}
