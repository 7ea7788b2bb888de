// SPDX-License-Identifier: Apache-2.0

import { ENCODER, FAMILIES, type Family, graphFile, type Layout } from '../eval/runtime/graphs.ts'
import type { Recipe, Rule } from './recipe-schema.ts'

/** What a command line changes of every recipe. */
export interface RecipeOptions {
  /** of 4-bit formats: weights that share a scale */
  readonly blockSize?: number
  /** of 4-bit formats: without zero points */
  readonly symmetric: boolean
  readonly prefillInt8: boolean
}

/** q4b64: 4 bits in blocks of 64 with zero points; q4b64s: without. */
const BLOCKS = /^q(\d)b(\d+)(s?)$/

/** A recipe with the changes of a command line. Its other entries stay. */
export function recipeWith(
  { decoder, prompts, ...recipe }: Recipe,
  { blockSize, symmetric, prefillInt8 }: RecipeOptions,
): Recipe {
  const format = (name: string) =>
    name.replace(BLOCKS, (whole, bits, block, sign) =>
      bits === '4' ? `q4b${blockSize ?? block}${symmetric ? 's' : sign}` : whole,
    )
  return {
    ...recipe,
    decoder: decoder.map(([selector, name]) => [selector, format(name)]),
    ...(prompts !== undefined && prefillInt8 && { prompts }),
  }
}

/** Whether a recipe looks at what the weights meet: see pipeline/quantize/calibration.ts. */
export function needsCalibration(recipe: Recipe): boolean {
  const { solver, smooth } = recipe
  return solver === 'gptq' || smooth !== undefined || isChosen(recipe) || isEncoderCalibrated(recipe)
}

/** Whether a recipe's encoder does: the activations of its convolutions have constant scales, and others are judged. */
export function isEncoderCalibrated({ encoder = [], encoderFallback, encoderSmooth }: Recipe): boolean {
  const isInt8 = (name: string) => encoder.find(([selector]) => fits(selector, name))?.[1] === 'i8'
  const isJudged = encoderFallback !== undefined || encoderSmooth !== undefined
  return isJudged || CONVOLUTIONS.some(isInt8)
}

/** The encoder's weights of several input channels; the first convolution's stay float32. */
const CONVOLUTIONS = ['conv_weights.1', 'conv_weights.2']

/** As Python's fnmatch; names of groups of layers fit no name. */
function fits(selector: string, name: string): boolean {
  const pattern = selector
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replaceAll('[!', '[^')
  return new RegExp(`^${pattern}$`).test(name)
}

/** Whether a recipe leaves it to the calibration which weights get which format. */
export function isChosen({ decoder }: Recipe): boolean {
  return decoder.some(([selector]) => selector.startsWith('auto:'))
}

/** The layouts that a recipe's weights can be read in: `decoder_init` looks up `embed_tokens.bin`. */
export function layoutsOf(recipe: Recipe | undefined, family: Family = 'asr'): readonly Layout[] {
  const all = Object.keys(FAMILIES[family].layouts) as Layout[]
  return recipe?.embeddings === undefined ? all : ['fused']
}

/** The decoder's graphs that a recipe makes. */
export function decodersOf(recipe: Recipe | undefined, family: Family = 'asr'): readonly string[] {
  const { graphs, layouts } = FAMILIES[family]
  const own = layoutsOf(recipe, family)
  return graphs.filter((graph) => own.some((layout) => layouts[layout]?.includes(graph)))
}

const SOLVER_NAMES = { rtn: 'round-to-nearest', k_quant: 'k-quant', gptq: 'GPTQ' } as const
/** Formats that are not blocks. */
const FORMAT_TAGS: Readonly<Record<string, string>> = {
  f32: 'float32',
  f16: 'float16',
  bf16: 'bfloat16, computed in float32',
  i8: 'int8 (7 bits) with a scale for each column, activations uint8 with a scale for each row',
}

/** How a recipe's weights are made, as config.json and the model card say it. */
export function recipeTag(recipe: Recipe, accuracyLevel: number): string {
  const smoothing = recipe.smooth === undefined ? [] : [`smoothed (${recipe.smooth})`]
  return [...smoothing, ...rulesTags(recipe.decoder, recipe, accuracyLevel)].join('; ')
}

/** The same of a recipe's encoder. */
export function encoderTags(
  { encoder, encoderSmooth }: Pick<Recipe, 'encoder' | 'encoderSmooth'>,
  accuracyLevel: number,
): string | undefined {
  if (encoder === undefined) return undefined
  const convolutions = isEncoderCalibrated({ decoder: [], encoder }) ? [CONVOLUTIONS_TAG] : []
  const isSmooth = encoderSmooth !== undefined && encoder.some(([, format]) => format === 'i8')
  const smoothing = isSmooth ? [`smoothed (${encoderSmooth}) where channels are large`] : []
  return [...smoothing, ...rulesTags(encoder, { decoder: [] }, accuracyLevel), ...convolutions].join('; ')
}

const CONVOLUTIONS_TAG = 'activations of int8 convolutions uint8 with scales of a calibration'

function rulesTags(rules: readonly Rule[], { solver = 'rtn' }: Recipe, accuracyLevel: number): string[] {
  return rules.map(([selector, format]) => {
    const [, bits, block, sign] = BLOCKS.exec(format) ?? []
    const kind = sign ? 'symmetric' : 'asymmetric'
    // 8 bits are rounded: there is nothing to win
    const how = SOLVER_NAMES[bits === '8' ? 'rtn' : solver]
    const text =
      bits === undefined
        ? (FORMAT_TAGS[format] ?? format)
        : `int${bits} MatMulNBits ${how}, block ${block}, ${kind}, accuracy level ${accuracyLevel}`
    return selector === '*' ? text : `${selector}: ${text}`
  })
}

const PREFILL_TAG =
  'the weights of the steps as int8 with a scale for each column, activations uint8 with a scale for each row'

/** config.json's `quantization`: how the weights of each graph are made. */
export function quantizationTags(
  recipes: ReadonlyMap<string, Recipe | undefined>,
  accuracyLevel: number,
  family: Family = 'asr',
): Record<string, string> {
  const tags: [string, string][] = []
  for (const [variant, recipe] of recipes) {
    const name = (graph: string) => graphFile(graph, variant).replace(/\.onnx$/, '')
    tags.push([name(ENCODER), (recipe && encoderTags(recipe, accuracyLevel)) ?? 'float32'])
    for (const graph of decodersOf(recipe, family))
      tags.push([name(graph), recipe === undefined ? 'float32' : recipeTag(recipe, accuracyLevel)])
    if (recipe?.prompts === 'int8') tags.push([name(FAMILIES[family].prompts), PREFILL_TAG])
  }
  return Object.fromEntries(tags)
}

/** What decides about the graphs when nothing else is said. */
export const GRAPH_DEFAULTS = {
  opset: 18,
  accuracyLevel: 4,
  symmetric: false,
  prefillInt8: true,
} as const
