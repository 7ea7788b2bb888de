// SPDX-License-Identifier: Apache-2.0

import {
  decoderData,
  EMBEDDINGS,
  ENCODER,
  FAMILIES,
  type Family,
  FP32,
  graphFile,
  JSON_FILES,
  prefillRecipe,
  quantizedTable,
} from '../eval/runtime/graphs.ts'
import type { Way } from '../eval/runtime/release.ts'
import type { GateLimits } from './gates.ts'
import type { Recipe } from './recipe-schema.ts'
import { decodersOf, layoutsOf, recipeWith } from './recipes.ts'

/** One variant of a release: a row here is all that it takes. */
export interface VariantRow {
  /** one line for lists and the model card */
  readonly about: string
  /** how its weights are made of FP32's; none: as they were exported */
  readonly recipe?: Recipe
  /** what it must pass before it is packaged, with the limits */
  readonly gates: GateLimits
  /** the same of a forced aligner; none: forced aligners do not have the variant */
  readonly alignerGates?: GateLimits
  /** made only when --variants names it */
  readonly isExtra?: true
}

/** What the shipped int4 is allowed. */
const FOUR_BITS: GateLimits = {
  ways: { cosine: 0.005 },
  kld: { mean: 0.01, p99: 0.1 },
  addedWer: { rate: 0.03 },
  transcripts: {},
}

/**
 * 8-bit products, the convolutions' too; where these lose too much on the calibration, 8-bit weights for the part that
 * loses it, or the checkpoint's own.
 */
const INT8_ENCODER: Pick<Recipe, 'encoder' | 'encoderFallback' | 'encoderSmooth'> = {
  encoder: [['*', 'i8']],
  encoderSmooth: 'smoothquant:0.5',
  encoderFallback: [
    [
      ['conv_weights.*', 'bf16'],
      ['*', 'i8'],
    ],
    [
      ['conv_weights.*', 'i8'],
      ['*', 'q8b64'],
    ],
    [
      ['conv_weights.*', 'bf16'],
      ['*', 'q8b64'],
    ],
    [['*', 'bf16']],
  ],
}

/** 4 bits where they cost least: GPTQ in the layers, 8 bits in the output layer and the encoder. */
const HIGH_QUALITY: Recipe = {
  decoder: [
    ['lm_head', 'q8b64'],
    ['*', 'q4b64'],
  ],
  solver: 'gptq',
  ...INT8_ENCODER,
}

/** All variants by name, in the order in which they are made and listed. */
export const VARIANTS: Readonly<Record<string, VariantRow>> = {
  [FP32]: {
    about: 'float32, as the checkpoint computes',
    gates: { parity: {}, wer: {}, transcripts: {} },
    alignerGates: { slotParity: {}, timeError: {} },
  },
  int4: {
    about: '4-bit weights in the decoder',
    recipe: { decoder: [['*', 'q4b64']], prompts: 'int8' },
    gates: FOUR_BITS,
    alignerGates: { moved: { share: 0.1, mean: 15 }, addedTimeError: { mean: 10 } },
  },
  'int4-hq': {
    about: '4-bit weights by GPTQ in the decoder, 8-bit ones in the output layer and the encoder',
    recipe: { ...HIGH_QUALITY, prompts: 'int8' },
    gates: FOUR_BITS,
    isExtra: true,
  },
  'int4-fast': {
    about: '4-bit weights by GPTQ in blocks of 128, which steps read quickest; 8-bit products in the encoder',
    recipe: { ...HIGH_QUALITY, decoder: [['*', 'q4b128']], prompts: 'int8' },
    gates: FOUR_BITS,
    isExtra: true,
  },
  'int4-auto': {
    about: '4-bit weights by GPTQ, 8-bit ones where a calibration loses most, a quarter more bytes',
    recipe: {
      ...HIGH_QUALITY,
      decoder: [
        ['auto:25%', 'q8b64'],
        ['*', 'q4b64'],
      ],
      prompts: 'int8',
    },
    gates: FOUR_BITS,
    isExtra: true,
  },
  q8: {
    about: '8-bit weights',
    recipe: { decoder: [['*', 'q8b64']], encoder: [['*', 'q8b64']] },
    gates: {
      ways: { cosine: 0.005 },
      kld: { mean: 0.001, p99: 0.01 },
      addedWer: { rate: 0.01 },
      transcripts: {},
    },
    alignerGates: { moved: { share: 0.03, mean: 5 }, addedTimeError: { mean: 5 } },
    isExtra: true,
  },
  int8: {
    about: 'weights of 7 bits and activations of 8, smoothed',
    recipe: { decoder: [['*', 'i8']], smooth: 'smoothquant:0.5', ...INT8_ENCODER },
    gates: FOUR_BITS,
    isExtra: true,
  },
  fp16: {
    about: 'float16, for GPUs',
    recipe: { decoder: [['*', 'f16']], encoder: [['*', 'f16']] },
    gates: {
      ways: { cosine: 0.005 },
      kld: { mean: 0.001, p99: 0.01 },
      addedWer: { rate: 0.01 },
      transcripts: {},
    },
    isExtra: true,
  },
  compact: {
    about:
      '4-bit weights in the decoder, 8-bit ones in the encoder and in the output layer, which is the embedding table too',
    recipe: { ...HIGH_QUALITY, embeddings: 'lm_head', prompts: 'int8' },
    gates: FOUR_BITS,
    isExtra: true,
  },
}

/** What the loss of others is compared with: the variant that releases have beside FP32. */
export const BASELINE = 'int4'

/** Names of {@link VARIANTS}, in their order. */
export const VARIANT_NAMES: readonly string[] = Object.keys(VARIANTS)
/** What a release has when nothing else is asked for. */
export const USUAL_VARIANTS: readonly string[] = VARIANT_NAMES.filter((name) => !rowOf(name).isExtra)

/** The row of a variant. @throws RangeError for a name that is not in the table */
export function rowOf(variant: string): VariantRow {
  const row = Object.hasOwn(VARIANTS, variant) ? VARIANTS[variant] : undefined
  if (row) return row
  throw new RangeError(`There is no variant ${variant}; there are ${Object.keys(VARIANTS).join(', ')}.`)
}

/** The gates of a variant of a kind of model; none where that does not have the variant. */
export function gateLimitsOf(variant: string, family: Family = 'asr'): GateLimits | undefined {
  const { gates, alignerGates } = rowOf(variant)
  return family === 'aligner' ? alignerGates : gates
}

/** What decides about a variant's files. */
export interface FileOptions {
  readonly prefillInt8: boolean
  /** `asr` by default */
  readonly family?: Family
}

/** A variant's recipe with what a command line changes of it. */
export function recipeOf(
  variant: string,
  options: Parameters<typeof recipeWith>[1] & FileOptions,
): Recipe | undefined {
  const { recipe } = rowOf(variant)
  const own = recipe && recipeWith(recipe, options)
  return own && options.family === 'aligner' ? withExactHead(own) : own
}

/** An aligner's head decides about times: 4 bits lose more of them there than they save. */
function withExactHead(recipe: Recipe): Recipe {
  return {
    ...recipe,
    decoder: [['lm_head', 'q8b64'], ...recipe.decoder.filter(([name]) => name !== 'lm_head')],
  }
}

/** Whether a variant has a graph for prompts with 8-bit products. */
function hasPrefill(variant: string, { prefillInt8 }: FileOptions): boolean {
  return prefillInt8 && rowOf(variant).recipe?.prompts === 'int8'
}

/** Whether the output layer of a variant is its embedding table too. */
function hasTable(variant: string): boolean {
  return rowOf(variant).recipe?.embeddings !== undefined
}

/** The ways through a variant on a provider, the usual one first. */
export function waysOf(
  variant: string,
  provider: { readonly prompts: Way['prefill']; readonly isFusedOnly?: boolean },
  options: FileOptions,
): Way[] {
  const hasInt8 = provider.prompts === 'int8' && hasPrefill(variant, options)
  const layouts = layoutsOf(rowOf(variant).recipe, options.family).filter(
    (layout) => layout !== 'split' || provider.isFusedOnly !== true,
  )
  return layouts.flatMap((layout): Way[] => [
    ...(hasInt8 && layout !== 'split' ? [{ layout, prefill: 'int8' } as const] : []),
    { layout, prefill: 'same' },
  ])
}

/** The decoder's files that are a variant's own. */
export function decoderFiles(variant: string, options: FileOptions): string[] {
  const { family = 'asr' } = options
  const prompts = FAMILIES[family].prompts
  return [
    ...decodersOf(rowOf(variant).recipe, family).map((graph) => graphFile(graph, variant)),
    ...(hasPrefill(variant, options) ? [graphFile(prompts, variant), prefillRecipe(variant, family)] : []),
    decoderData(variant, family),
    ...(hasTable(variant) ? [quantizedTable(variant)] : []),
  ]
}

/** Everything that one variant's archive holds. */
export function variantFiles(variant: string, options: FileOptions): string[] {
  const embeddings = hasTable(variant) ? [] : [EMBEDDINGS]
  return [graphFile(ENCODER, variant), ...decoderFiles(variant, options), ...embeddings, ...JSON_FILES]
}
