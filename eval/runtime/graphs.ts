// SPDX-License-Identifier: Apache-2.0

/* Names of the graphs of a release, and of their files (release contract, section 3). */

/** The audio encoder's graph. */
export const ENCODER = 'encoder'
/** The graphs that make up each layout of the decoder, the one that is preferred first. */
export const LAYOUTS = { fused: ['decoder'], split: ['decoder_init', 'decoder_step'] } as const
/** The layouts of the decoder, the one that is preferred first. */
export const LAYOUT_NAMES = Object.keys(LAYOUTS) as readonly (keyof typeof LAYOUTS)[]
/** The decoder's graphs in all layouts, in the order in which they are made and listed. */
export const DECODERS = [...LAYOUTS.split, ...LAYOUTS.fused] as const
/** The fused layout's other graph for prompts, with 8-bit products. Its weights are made of those of the steps. */
export const PREFILL = 'decoder_prefill'
/** The forced aligner's graph, from a whole prompt to the classes of its slots. */
export const ALIGNER = 'aligner'
/** What a model may be run by: a layout of the decoder, or the aligner's graph. */
export const ALL_LAYOUTS = [...LAYOUT_NAMES, ALIGNER] as const
/** The name of a layout of the decoder, or of the aligner's graph. */
export type Layout = (typeof ALL_LAYOUTS)[number]

/** A kind of model, by the graphs that its releases hold beside the encoder. */
interface GraphFamily {
  /** the graphs of each way to run it, the way that is preferred first */
  readonly layouts: Readonly<Partial<Record<Layout, readonly string[]>>>
  /** all of them in the order in which they are made and listed */
  readonly graphs: readonly string[]
  /** of them, the one that {@link GraphFamily.prompts} is made of */
  readonly main: string
  /** the graph for prompts with 8-bit products */
  readonly prompts: string
  /** base name of the data file that the graphs share */
  readonly data: string
}

/** The kind of model that a release holds: speech recognition, or forced alignment. */
export type Family = 'asr' | 'aligner'
/** The graphs of each kind of model. */
export const FAMILIES: Readonly<Record<Family, GraphFamily>> = {
  asr: {
    ...{ layouts: LAYOUTS, graphs: DECODERS, main: LAYOUTS.fused[0] },
    ...{ prompts: PREFILL, data: 'decoder_weights' },
  },
  aligner: {
    ...{ layouts: { aligner: [ALIGNER] }, graphs: [ALIGNER], main: ALIGNER },
    ...{ prompts: 'aligner_prefill', data: 'aligner_weights' },
  },
}
/** File name of the embedding table, which is outside of the graphs. */
export const EMBEDDINGS = 'embed_tokens.bin'
/** The JSON files that every release holds. */
export const JSON_FILES = [
  'config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
] as const

/** `int8`: prompts by the graph with 8-bit products; `same`: by the graph of the steps. */
export const PREFILL_KINDS = ['int8', 'same'] as const
/** By which graph prompts are run: one of {@link PREFILL_KINDS}. */
export type PrefillKind = (typeof PREFILL_KINDS)[number]

/** The variant whose files have no suffix, and stand in where another variant has none of its own. */
export const FP32 = 'fp32'
/** What is loaded when nothing else is asked for: the smallest variant that every release has had. */
export const PREFERRED = 'int4'
/** What is loaded in its place on devices that compute in float16. */
export const FP16 = 'fp16'

/** File name of a variant's graph: `decoder.onnx` for fp32, `decoder.int4.onnx` for int4. */
export function graphFile(graph: string, variant: string): string {
  return `${graph}${suffixOf(variant)}.onnx`
}

/** The data file that a variant's decoder graphs share, or that the forced aligner's graph has. */
export function decoderData(variant: string, family: Family = 'asr'): string {
  return `${FAMILIES[family].data}${suffixOf(variant)}.data`
}

/** How the weights of a variant's graph for prompts are made. */
export function prefillRecipe(variant: string, family: Family = 'asr'): string {
  return `${FAMILIES[family].prompts}${suffixOf(variant)}.json`
}

/** Where a variant's rows of embeddings are, when the quantized output layer is the embedding table too. */
export function quantizedTable(variant: string): string {
  return `embed_tokens${suffixOf(variant)}.json`
}

function suffixOf(variant: string): string {
  return variant === FP32 ? '' : `.${variant}`
}
