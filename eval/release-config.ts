import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { isJsonObject, shown } from './json-value.ts'
import type { CacheShape } from './kv-cache.ts'
import { requireFile } from './plain-file.ts'
import { checkedAs, list, section, text, whole, wrongValue } from './schema.ts'
import { SpeechError } from './speech-error.ts'

/** The parts of a release's config.json that a reader needs. */
export interface ReleaseConfig {
  readonly hiddenSize: number
  readonly vocabSize: number
  readonly cache: CacheShape
  readonly endIds: readonly number[]
  readonly embeddingShape: readonly [number, number]
}

const MOST_LAYERS = 1000
const WIDEST = 1 << 20
const LARGEST_VOCABULARY = 1 << 24
const size = whole(1, WIDEST)

const KIND = section({ model_type: v.optional(text), embed_tokens_dtype: v.optional(text) })
const CONFIG = section({
  decoder: section({
    hidden_size: size,
    num_layers: whole(1, MOST_LAYERS),
    num_key_value_heads: size,
    head_dim: size,
  }),
  special_tokens: section({
    eos_token_ids: v.pipe(list(whole(0, LARGEST_VOCABULARY)), v.minLength(1, 'an array of ids')),
  }),
  embed_tokens_shape: v.tuple([whole(1, LARGEST_VOCABULARY), size], 'an array of two sizes'),
})
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
  const { decoder, special_tokens, embed_tokens_shape: shape } = checkedAs(CONFIG, value, { file }, fail)
  const {
    hidden_size: hiddenSize,
    num_layers: layers,
    num_key_value_heads: heads,
    head_dim: headDim,
  } = decoder
  if (shape[1] !== hiddenSize) {
    const wanted = `[..., decoder.hidden_size], which is ${hiddenSize}`
    throw fail(wrongValue({ file, key: 'embed_tokens_shape', found: shape, wanted }))
  }
  const wrongId = special_tokens.eos_token_ids.find((id) => id >= shape[0])
  if (wrongId !== undefined) {
    const wanted = `ids below ${shape[0]}, the size of the vocabulary`
    throw fail(
      wrongValue({ file, key: 'special_tokens.eos_token_ids', found: special_tokens.eos_token_ids, wanted }),
    )
  }
  return {
    hiddenSize,
    vocabSize: shape[0],
    cache: { layers, heads, headDim },
    endIds: special_tokens.eos_token_ids,
    embeddingShape: shape,
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
