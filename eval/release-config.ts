import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SpeechError } from './speech-error.ts'

/** The parts of a release's config.json that a reader needs. */
export interface ReleaseConfig {
  readonly hiddenSize: number
  readonly layers: number
  readonly kvHeads: number
  readonly headDim: number
  readonly vocabSize: number
  readonly endIds: readonly number[]
  readonly embeddingShape: readonly [number, number]
}

/**
 * Read config.json of a release directory.
 * @throws SpeechError when it is missing, of another model type, or its table is not FP16
 */
export async function readReleaseConfig(folder: string): Promise<ReleaseConfig> {
  const config = await readJson(join(folder, 'config.json'))
  const { decoder, special_tokens: special } = config
  if (config.model_type !== 'qwen3_asr' || !decoder || !special || config.embed_tokens_dtype !== 'float16') {
    throw new SpeechError(
      `${folder}/config.json describes ${config.model_type ?? 'no model'} with ${config.embed_tokens_dtype ?? 'float32'} ` +
        'embeddings, wanted qwen3_asr with float16.',
    )
  }
  return {
    hiddenSize: decoder.hidden_size,
    layers: decoder.num_layers,
    kvHeads: decoder.num_key_value_heads,
    headDim: decoder.head_dim,
    vocabSize: decoder.vocab_size,
    endIds: special.eos_token_ids,
    embeddingShape: config.embed_tokens_shape,
  }
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of unknown shape; every use is checked by the caller
export async function readJson(path: string): Promise<any> {
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
