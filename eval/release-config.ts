import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { contradictions, READER_CONFIG } from './config-schema.ts'
import { isJsonObject, shown } from './json-value.ts'
import type { CacheShape } from './kv-cache.ts'
import { requireFile } from './plain-file.ts'
import { checkedAs, section, text } from './schema.ts'
import { SpeechError } from './speech-error.ts'

/** The parts of a release's config.json that a reader needs. */
export interface ReleaseConfig {
  readonly hiddenSize: number
  readonly vocabSize: number
  readonly cache: CacheShape
  readonly endIds: readonly number[]
  readonly embeddingShape: readonly [number, number]
  /** how the weights of a graph were made, by the name of its file without .onnx; older releases may lack it */
  readonly quantization: Readonly<Record<string, string>>
}

const KIND = section({ model_type: v.optional(text), embed_tokens_dtype: v.optional(text) })
const HINT = 'Take it from the release again.'

/**
 * Read config.json of a release directory.
 * @throws SpeechError when it is missing, of another model type, its table is not FP16, or a key is not right
 */
export async function readReleaseConfig(folder: string): Promise<ReleaseConfig> {
  const file = join(folder, 'config.json')
  const fail = (message: string) => new SpeechError(message, HINT)
  const value = await readJson(file)
  const { model_type: type, embed_tokens_dtype: dtype = 'float32' } = checkedAs(KIND, value, { file }, fail)
  if (type !== 'qwen3_asr' || dtype !== 'float16') {
    throw new SpeechError(
      `${folder}/config.json describes ${type ?? 'no model'} with ${dtype} embeddings, wanted qwen3_asr with float16.`,
    )
  }
  const config = checkedAs(READER_CONFIG, value, { file }, fail)
  const [problem] = contradictions(config, file)
  if (problem !== undefined) throw fail(problem)
  const { decoder, special_tokens: special, embed_tokens_shape: shape, quantization = {} } = config
  return {
    hiddenSize: decoder.hidden_size,
    vocabSize: shape[0],
    cache: {
      layers: decoder.num_layers,
      heads: decoder.num_key_value_heads,
      headDim: decoder.head_dim,
    },
    endIds: special.eos_token_ids,
    embeddingShape: shape,
    quantization,
  }
}

/**
 * @returns the parsed file, an object; the caller knows its shape and checks what it relies on
 * @throws SpeechError when there is no such file, or it is not one with a JSON object
 */
export async function readJson<T extends object = object>(path: string): Promise<T> {
  if (!(await stat(path).catch(() => undefined))) {
    throw new SpeechError(
      `${path} is missing.`,
      'A release directory holds it; give the folder that contains encoder.onnx.',
    )
  }
  await requireFile(path)
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new SpeechError(`${path} is not valid JSON.`, HINT)
  }
  if (!isJsonObject(value)) throw new SpeechError(`${path} holds ${shown(value)}, wanted an object.`, HINT)
  return value as T
}
