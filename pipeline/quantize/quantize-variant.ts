// SPDX-License-Identifier: Apache-2.0

import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { defined } from '../../eval/runtime/defined.ts'
import {
  ENCODER,
  FAMILIES,
  FP32,
  graphFile,
  prefillRecipe,
  quantizedTable,
} from '../../eval/runtime/graphs.ts'
import { dictionary, section, text } from '../../eval/runtime/schema.ts'
import { alias } from '../../graph-tools/alias.ts'
import { commit } from '../../graph-tools/commit.ts'
import { openModel } from '../../graph-tools/model.ts'
import { applyEdits } from '../../graph-tools/splice.ts'
import { checkedResult, runPython } from '../python/run-python.ts'
import type { Recipe } from '../recipe-schema.ts'
import { decodersOf, needsCalibration } from '../recipes.ts'
import { ENCODER_CHOICE, type EncoderChoice } from '../release/encoder-schema.ts'
import { prefillWeightsOf } from '../release/prefill-recipe.ts'
import { embeddingTableOf } from '../release/quantized-table.ts'
import { exists, formatBytes, freshFolder, writeJson } from '../shared/output-files.ts'
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
  /** folder of the calibration, for recipes that need one */
  readonly calibration?: string | undefined
  /** the decoder's graphs to make; all that the recipe makes when it is left out */
  readonly decoders?: readonly string[]
}

const SCRIPT = 'quantize/quantize.py'

/** What it did. */
const QUANTIZED = section({
  /** of the decoder's weights, by name */
  formats: dictionary(text),
  /** of a recipe that has other rules for the encoder */
  encoderChoice: v.exactOptional(ENCODER_CHOICE),
})

/** How a variant was made, where its recipe leaves it open. */
export interface Made {
  /** of the decoder's weights, by name */
  readonly formats: Readonly<Record<string, string>>
  readonly encoderChoice?: EncoderChoice
}

/**
 * Make a variant of FP32's graphs: what is not there of FP32 is left out.
 * @returns what the recipe leaves open
 * @throws Failure when the recipe does not fit the graphs
 */
export async function quantizeVariant(
  making: Making,
  variant: string,
  recipe: Recipe,
  options: QuantizeOptions,
): Promise<Made> {
  const parts = await partsOf(making, recipe, options)
  const isAnything = parts.decoders.length > 0 || parts.encoder
  const made = isAnything ? await quantize(making, variant, recipe, parts, options) : { formats: {} }
  const { from } = making
  if (recipe.encoder === undefined && (await exists(join(from, graphFile(ENCODER, FP32)))))
    await nameEncoder(making, variant)
  return made
}

/**
 * Say what in a recipe does not fit FP32's graphs before minutes go into the calibration that it needs.
 * @throws Failure when the recipe does not fit
 */
export async function requireFit(
  making: Making,
  variant: string,
  recipe: Recipe,
  options: QuantizeOptions,
): Promise<void> {
  const parts = await partsOf(making, recipe, options)
  if (!needsCalibration(recipe) || (parts.decoders.length === 0 && !parts.encoder)) return
  await freshFolder(making.work)
  const args = await scriptArguments(making, variant, recipe, parts, options)
  await runPython(SCRIPT, [...args, '--check'], making.python)
  await rm(making.work, { recursive: true })
}

async function partsOf(
  { from, family }: Making,
  recipe: Recipe,
  { decoders = decodersOf(recipe, family) }: QuantizeOptions,
): Promise<Parts> {
  const [first = ''] = decoders
  return {
    decoders: (await exists(join(from, graphFile(first, FP32)))) ? decoders : [],
    encoder: recipe.encoder !== undefined && (await exists(join(from, graphFile(ENCODER, FP32)))),
  }
}

async function nameEncoder({ from, to, emit }: Making, variant: string): Promise<void> {
  const [file, target] = [graphFile(ENCODER, variant), graphFile(ENCODER, FP32)]
  const kind = await alias(join(from, target), join(to, file))
  emit({ event: 'note', text: `${file} is a ${kind} of ${target}` })
}

/** What a recipe changes, of what there is of FP32. */
interface Parts {
  /** graphs */
  readonly decoders: readonly string[]
  readonly encoder: boolean
}

async function quantize(
  making: Making,
  variant: string,
  recipe: Recipe,
  parts: Parts,
  options: QuantizeOptions,
): Promise<Made> {
  const { work, python } = making
  const { calibration } = options
  await freshFolder(work)
  const args = await scriptArguments(making, variant, recipe, parts, options)
  if (calibration !== undefined && needsCalibration(recipe)) args.push('--calibration', calibration)
  const result = await runPython(SCRIPT, args, python)
  if (parts.decoders.length > 0) await placeDecoders(making, variant, recipe, parts.decoders)
  if (parts.encoder) await placeEncoder(making, variant)
  await rm(work, { recursive: true })
  const { formats, encoderChoice } = checkedResult(QUANTIZED, result, SCRIPT)
  return { formats, ...defined({ encoderChoice }) }
}

/** Writes the recipe's file, too. */
async function scriptArguments(
  { from, work }: Making,
  variant: string,
  recipe: Recipe,
  { decoders, encoder }: Parts,
  { accuracyLevel }: QuantizeOptions,
): Promise<string[]> {
  const recipeFile = join(work, 'recipe.json')
  await writeJson(recipeFile, { variant, ...recipe, accuracyLevel })
  return [
    ...(decoders.length > 0
      ? ['--models', ...decoders.map((name) => join(from, graphFile(name, FP32)))]
      : []),
    ...(encoder ? ['--encoder', join(from, graphFile(ENCODER, FP32))] : []),
    ...['--out', work, '--recipe', recipeFile],
  ]
}

/** Share the decoders' weights, and write what readers make of them at load. */
async function placeDecoders(
  { to, work, python: _python, from: _from, ...sharing }: Making,
  variant: string,
  recipe: Recipe,
  decoders: readonly string[],
): Promise<void> {
  const { family = 'asr' } = sharing
  const names = [...decoders, ...(recipe.prompts === 'int8' ? [FAMILIES[family].prompts] : [])]
  const open = (name: string) => ({ name, model: openModel(join(work, graphFile(name, variant))), edits: [] })
  const widening = join(to, prefillRecipe(variant, family))
  const table = join(to, quantizedTable(variant))
  for (const file of [widening, table]) await rm(file, { force: true })
  await shareDecoders({ folder: to, ...sharing }, names.map(open), variant)
  if (recipe.prompts === 'int8') await writeJson(widening, await prefillWeightsOf(to, variant, family))
  if (recipe.embeddings !== undefined) await writeJson(table, await embeddingTableOf(to, variant))
}

/** The file that is there may be a link of FP32's: it is replaced, never written to. */
async function placeEncoder({ to, work, emit }: Making, variant: string): Promise<void> {
  const file = graphFile(ENCODER, variant)
  const content = applyEdits(openModel(join(work, file)).bytes, [])
  await commit(to, [{ path: join(to, file), content }])
  emit({ event: 'note', text: `${file}: ${formatBytes((await stat(join(to, file))).size)}` })
}
