import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheShape } from './kv-cache.ts'
import { SpeechError } from './speech-error.ts'

/** The parts of a release's config.json that a reader needs. */
export interface ReleaseConfig {
  readonly hiddenSize: number
  readonly vocabSize: number
  readonly cache: CacheShape
  readonly endIds: readonly number[]
  readonly embeddingShape: readonly [number, number]
}

interface ConfigFile {
  readonly model_type?: string
  readonly decoder?: {
    readonly hidden_size?: number
    readonly num_layers?: number
    readonly num_key_value_heads?: number
    readonly head_dim?: number
  }
  readonly special_tokens?: { readonly eos_token_ids?: readonly number[] }
  readonly embed_tokens_dtype?: string
  readonly embed_tokens_shape?: readonly [number, number]
}

/**
 * Read config.json of a release directory.
 * @throws SpeechError when it is missing, of another model type, or its table is not FP16
 */
export async function readReleaseConfig(folder: string): Promise<ReleaseConfig> {
  const config = await readJson<ConfigFile>(join(folder, 'config.json'))
  const { model_type: type, embed_tokens_dtype: dtype = 'float32', embed_tokens_shape: shape } = config
  if (type !== 'qwen3_asr' || dtype !== 'float16') {
    throw new SpeechError(
      `${folder}/config.json describes ${type ?? 'no model'} with ${dtype} embeddings, wanted qwen3_asr with float16.`,
    )
  }
  const {
    hidden_size: hiddenSize,
    num_layers: layers,
    num_key_value_heads: heads,
    head_dim: headDim,
  } = config.decoder ?? {}
  const endIds = config.special_tokens?.eos_token_ids
  if (hiddenSize === undefined || endIds === undefined || shape?.[1] !== hiddenSize) {
    throw new SpeechError(
      `${folder}/config.json lacks decoder.hidden_size, eos_token_ids or a matching embed_tokens_shape.`,
    )
  }
  if (layers === undefined || heads === undefined || headDim === undefined) {
    throw new SpeechError(
      `${folder}/config.json lacks decoder.num_layers, decoder.num_key_value_heads or decoder.head_dim.`,
    )
  }
  return { hiddenSize, vocabSize: shape[0], cache: { layers, heads, headDim }, endIds, embeddingShape: shape }
}

/** @returns the parsed file; the caller knows its shape and checks what it relies on */
export async function readJson<T = object>(path: string): Promise<T> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new SpeechError(
      `${path} is missing.`,
      'A release directory holds it; give the folder that contains encoder.onnx.',
    )
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new SpeechError(`${path} is no JSON.`)
  }
}
