import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type EmbeddingTable, openEmbeddings } from './embeddings.ts'
import { MEL_BINS, type Mel } from './mel.ts'
import type { Prompt } from './prompt.ts'
import { type ReleaseConfig, readJson, readReleaseConfig } from './release-config.ts'
import { SpeechError } from './speech-error.ts'
import { makeTokenizer, type Tokenizer } from './tokenizer.ts'

/** One loaded variant of a release directory: three sessions, the embedding table, the tokenizer. */
export interface Recognizer {
  readonly config: ReleaseConfig
  readonly tokenizer: Tokenizer
  readonly encoder: InferenceSession
  readonly init: InferenceSession
  readonly step: InferenceSession
  readonly embeddings: EmbeddingTable
}

export interface LoadOptions {
  /** '' for FP32, else the precision in the file names: 'int4' */
  readonly variant?: string
  readonly threads: number
}

/** The KV cache as the graphs hand it over: [layers, 1, kv_heads, positions, head_dim]. */
export interface Cache {
  readonly keys: Tensor
  readonly values: Tensor
}

/** What the decoder graphs give: logits of the last position [V], and the cache to go on with. */
export interface Step {
  readonly logits: Float32Array
  readonly cache: Cache
}

/**
 * Load a release directory. A file of the variant that is missing is replaced by its FP32 one.
 * @throws SpeechError when a file is missing or the runtime refuses it
 */
export async function loadRecognizer(folder: string, options: LoadOptions): Promise<Recognizer> {
  const config = await readReleaseConfig(folder)
  const tokenizer = makeTokenizer(
    await readJson(join(folder, 'tokenizer.json')),
    await readJson(join(folder, 'tokenizer_config.json')),
  )
  const embeddings = openEmbeddings(join(folder, 'embed_tokens.bin'), config.embeddingShape)
  const session = (name: string) => openSession(folder, name, options)
  return {
    config,
    tokenizer,
    encoder: await session('encoder'),
    init: await session('decoder_init'),
    step: await session('decoder_step'),
    embeddings,
  }
}

export async function releaseRecognizer(recognizer: Recognizer): Promise<void> {
  await recognizer.encoder.release()
  await recognizer.init.release()
  await recognizer.step.release()
  recognizer.embeddings.close()
}

/** mel [1, 128, T] -> audio features [1, N, H] */
export async function encode(recognizer: Recognizer, mel: Mel): Promise<Tensor> {
  const feeds = { mel: new Tensor('float32', mel.data, [1, MEL_BINS, mel.frames]) }
  return output(await recognizer.encoder.run(feeds), 'audio_features')
}

export function audioTokens(features: Tensor): number {
  return features.dims[1] ?? 0
}

/** Run the prompt. logits [1, 1, V] are those of the last position. */
export async function prefill(recognizer: Recognizer, prompt: Prompt, features: Tensor): Promise<Step> {
  const length = prompt.ids.length
  const results = await recognizer.init.run({
    input_ids: new Tensor('int64', BigInt64Array.from(prompt.ids, BigInt), [1, length]),
    position_ids: new Tensor(
      'int64',
      BigInt64Array.from({ length }, (_, i) => BigInt(i)),
      [1, length],
    ),
    audio_features: features,
    audio_offset: new Tensor('int64', BigInt64Array.of(BigInt(prompt.audioOffset)), [1]),
  })
  return split(results)
}

/** Feed one token at `position`. */
export async function step(
  recognizer: Recognizer,
  token: number,
  position: number,
  cache: Cache,
): Promise<Step> {
  const hidden = recognizer.config.hiddenSize
  const embedding = new Float32Array(hidden)
  recognizer.embeddings.read(token, embedding)
  const results = await recognizer.step.run({
    input_embeds: new Tensor('float32', embedding, [1, 1, hidden]),
    position_ids: new Tensor('int64', BigInt64Array.of(BigInt(position)), [1, 1]),
    past_keys: cache.keys,
    past_values: cache.values,
  })
  return split(results)
}

/** Index of the largest logit; the first of equals, as torch.argmax on CPU. */
export function argmax(logits: Float32Array): number {
  let best = 0
  for (let i = 1; i < logits.length; i++) if ((logits[i] as number) > (logits[best] as number)) best = i
  return best
}

function split(results: InferenceSession.OnnxValueMapType): Step {
  const logits = output(results, 'logits').data
  if (!(logits instanceof Float32Array)) throw new SpeechError('The logits are not float32.')
  return {
    logits,
    cache: { keys: output(results, 'present_keys'), values: output(results, 'present_values') },
  }
}

function output(results: InferenceSession.OnnxValueMapType, name: string): Tensor {
  const value = results[name]
  if (value instanceof Tensor) return value
  throw new SpeechError(`The graph has no output ${name}; it has ${Object.keys(results).join(', ')}.`)
}

async function openSession(folder: string, name: string, options: LoadOptions): Promise<InferenceSession> {
  const path = await variantPath(folder, name, options.variant ?? '')
  try {
    return await InferenceSession.create(path, {
      executionProviders: ['cpu'],
      intraOpNumThreads: options.threads,
      graphOptimizationLevel: 'all',
    })
  } catch (error) {
    throw new SpeechError(`onnxruntime cannot load ${path}: ${(error as Error).message}`)
  }
}

async function variantPath(folder: string, name: string, variant: string): Promise<string> {
  const candidates = [...(variant === '' ? [] : [`${name}.${variant}.onnx`]), `${name}.onnx`]
  for (const candidate of candidates) {
    const path = join(folder, candidate)
    if (
      await access(path).then(
        () => true,
        () => false,
      )
    )
      return path
  }
  throw new SpeechError(
    `${folder} holds neither ${candidates.join(' nor ')}.`,
    'Run the pipeline first, or name another folder.',
  )
}
