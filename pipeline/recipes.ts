import { DECODERS, ENCODER, graphFile, PREFILL } from '../eval/runtime/graphs.ts'

/** How the weights of a variant are made. */
export interface Recipe {
  /**
   * Which weights of the decoder graphs get which format: the first selector that fits a weight decides. `lm_head`,
   * `attention`, `mlp`, or a pattern of names such as `layers.0.*`. What no selector fits stays float32.
   */
  readonly decoder: readonly Rule[]
  /** `int8`: the fused layout has a graph for prompts that widens 4-bit weights when it is loaded */
  readonly prompts?: 'int8'
}

/** A selector of weights, and a format that python/quantize/formats.py knows. */
export type Rule = readonly [selector: string, format: string]

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

export function recipeWith(
  { decoder, prompts }: Recipe,
  { blockSize, symmetric, prefillInt8 }: RecipeOptions,
): Recipe {
  const format = (name: string) =>
    name.replace(BLOCKS, (whole, bits, block, sign) =>
      bits === '4' ? `q4b${blockSize ?? block}${symmetric ? 's' : sign}` : whole,
    )
  return {
    decoder: decoder.map(([selector, name]) => [selector, format(name)]),
    ...(prompts !== undefined && prefillInt8 && { prompts }),
  }
}

/** The block size of the format that most weights have: the last rule's. */
export function blockSizeOf({ decoder }: Recipe): number {
  return Number(BLOCKS.exec(decoder.at(-1)?.[1] ?? '')?.[2] ?? 0)
}

/** How a recipe's weights are made, as config.json and the model card say it. */
export function recipeTag({ decoder }: Recipe, accuracyLevel: number): string {
  const formats = decoder.map(([selector, format]) => {
    const [, bits, block, sign] = BLOCKS.exec(format) ?? []
    const kind = sign ? 'symmetric' : 'asymmetric'
    const text =
      bits === undefined
        ? format
        : `int${bits} MatMulNBits round-to-nearest, block ${block}, ${kind}, accuracy level ${accuracyLevel}`
    return selector === '*' ? text : `${selector}: ${text}`
  })
  return formats.join('; ')
}

const PREFILL_TAG =
  'the int4 weights as int8 with a scale for each column, activations uint8 with a scale for each row'

/** config.json's `quantization`: how the weights of each graph are made. The encoder is FP32's in every variant. */
export function quantizationTags(
  recipes: ReadonlyMap<string, Recipe | undefined>,
  accuracyLevel: number,
): Record<string, string> {
  const tags: [string, string][] = []
  for (const [variant, recipe] of recipes) {
    const name = (graph: string) => graphFile(graph, variant).replace(/\.onnx$/, '')
    tags.push([name(ENCODER), 'float32'])
    for (const graph of DECODERS)
      tags.push([name(graph), recipe === undefined ? 'float32' : recipeTag(recipe, accuracyLevel)])
    if (recipe?.prompts === 'int8') tags.push([name(PREFILL), PREFILL_TAG])
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
