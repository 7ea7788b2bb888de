import { join } from 'node:path'

/** Names of a release's files, from the release contract. '' is FP32. */
export const VARIANTS = ['', 'int4'] as const
export type Variant = (typeof VARIANTS)[number]

/** The split layout's two graphs, and the fused one. */
export const DECODERS = ['decoder_init', 'decoder_step', 'decoder'] as const
/** The fused layout's graph for prompts in 8 bits, and how its weights are made of the int4 ones. */
export const PREFILL = 'decoder_prefill'
export const EMBEDDINGS = 'embed_tokens.bin'
export const JSON_FILES = [
  'config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
] as const

export function graphFile(graph: string, variant: Variant): string {
  return variant === '' ? `${graph}.onnx` : `${graph}.${variant}.onnx`
}

export function decoderData(variant: Variant): string {
  return variant === '' ? 'decoder_weights.data' : `decoder_weights.${variant}.data`
}

export function prefillRecipe(variant: string): string {
  return `${PREFILL}.${variant}.json`
}

/** Everything that one variant's archive holds. */
export function variantFiles(variant: Variant, { prefillInt8 }: { readonly prefillInt8: boolean }): string[] {
  return [
    graphFile('encoder', variant),
    ...DECODERS.map((graph) => graphFile(graph, variant)),
    ...(variant !== '' && prefillInt8 ? [graphFile(PREFILL, variant), prefillRecipe(variant)] : []),
    decoderData(variant),
    EMBEDDINGS,
    ...JSON_FILES,
  ]
}

export function variantLabel(variant: Variant): string {
  return variant === '' ? 'FP32' : variant
}

/** Where one run keeps its files. */
export interface Layout {
  /** the model directory: the contract's files, report.json, results.csv */
  readonly model: string
  /** intermediate results and stamps */
  readonly work: string
  /** archives, checksums, model card */
  readonly release: string
  stamp(stage: string): string
  log(stage: string): string
}

export function layoutOf(output: string, name: string): Layout {
  const model = join(output, name)
  const work = join(model, '.work')
  return {
    model,
    work,
    release: join(model, 'release'),
    stamp: (stage) => join(work, 'stamps', `${stage}.json`),
    log: (stage) => join(work, 'logs', `${stage}.log`),
  }
}
