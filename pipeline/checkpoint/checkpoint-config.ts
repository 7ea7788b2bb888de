// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { layerCount, size, vocabularySize } from '../../eval/runtime/config-schema.ts'
import { isJsonObject, type JsonObject, shown } from '../../eval/runtime/json-value.ts'
import { list, type Parsed, positive, section, shape, truth, whole } from '../../eval/runtime/schema.ts'
import { checked, wrong } from '../shared/checked.ts'
import { Failure } from '../shared/failure.ts'
import { type AlignerConfig, checkAligner, isAligner } from './aligner-config.ts'

const FILE = 'config.json'
const HINT = 'Give a Qwen3-ASR checkpoint to --model.'
const DEFAULT_ROPE_THETA = 1e6

/** Mel frames of half a chunk: PyTorch's reference counts with 13 audio tokens a chunk, whatever the file says. */
const N_WINDOW = 50
const MOST_HEADS = 1024
const WIDEST = 1 << 20
const LONGEST_WINDOW = 1 << 20

/** The mel spectrogram is computed with these, whatever a file says. */
export const MEL = { bins: 128, rate: 16000, fft: 400, hop: 160 } as const

const AUDIO = shape({
  encoder_layers: layerCount,
  d_model: whole(4, WIDEST),
  encoder_attention_heads: whole(1, MOST_HEADS),
  encoder_ffn_dim: size,
  downsample_hidden_size: size,
  num_mel_bins: whole(MEL.bins, MEL.bins),
  n_window: whole(N_WINDOW, N_WINDOW),
  n_window_infer: whole(2 * N_WINDOW, LONGEST_WINDOW),
  output_dim: size,
})

const TEXT = shape({
  vocab_size: vocabularySize,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: whole(1, MOST_HEADS),
  num_key_value_heads: whole(1, MOST_HEADS),
  head_dim: whole(2, WIDEST),
  rms_norm_eps: positive(1),
})

const ROPE = section({
  rope_theta: v.optional(positive()),
  mrope_section: v.optional(list(whole(0, WIDEST))),
  mrope_interleaved: v.optional(truth),
  interleaved: v.optional(truth),
})

const ROPE_SECTIONS = ['rope_scaling', 'rope_parameters'] as const

const TEXT_EXTRAS = section({
  rope_theta: v.optional(positive()),
  rope_scaling: v.nullish(ROPE),
  rope_parameters: v.nullish(ROPE),
  tie_word_embeddings: v.optional(truth),
})

const TOKEN_KEYS = ['audio_token_id', 'audio_start_token_id', 'audio_end_token_id'] as const

const PARTS = section({ audio_config: section({}), text_config: section({}) })
const TOP = section({
  thinker_config: v.optional(section({})),
  tie_word_embeddings: v.optional(truth),
})

/** The keys of a checkpoint's audio_config that decide the encoder's graph. */
export type AudioConfig = Parsed<typeof AUDIO>
/** The keys of text_config that decide the decoder's graphs, and those that may stand in several places of config.json. */
export type TextConfig = Parsed<typeof TEXT> & {
  readonly rope_theta: number
  readonly tie_word_embeddings: boolean
}

/** What config.json of a checkpoint says, in either format. */
export interface CheckpointConfig {
  readonly format: 'native' | 'original'
  readonly audio_config: AudioConfig
  readonly text_config: TextConfig
  readonly rope_scaling: { readonly mrope_section: readonly number[]; readonly interleaved: boolean }
  /** of a forced aligner alone */
  readonly aligner?: AlignerConfig
  /** token ids that config.json names, by key; they must be those of the tokenizer */
  readonly tokenIds: Readonly<Record<string, number>>
}

/**
 * Check config.json: every key that the graphs depend on, its type, its range, and what it must be to the others.
 * @param folder for messages
 * @throws Failure naming the key that is wrong, its value and what is wanted
 */
export function checkConfig(config: JsonObject, folder: string): CheckpointConfig {
  const isOfAligner = isAligner(config)
  if (config['model_type'] !== 'qwen3_asr' && !isOfAligner) {
    throw new Failure(
      `${folder}/config.json has model_type ${shown(config['model_type'])}, wanted "qwen3_asr".`,
      HINT,
    )
  }
  const top = checked(TOP, config, { file: FILE, hint: HINT })
  const prefix = top.thinker_config ? 'thinker_config.' : ''
  const parts = checked(PARTS, top.thinker_config ?? config, { file: FILE, prefix, hint: HINT })
  const where = (key: string) => ({ file: FILE, prefix: `${prefix}${key}.`, hint: HINT })
  const audio = checked(AUDIO, parts.audio_config, where('audio_config'))
  const sizes = checked(TEXT, parts.text_config, where('text_config'))
  const extras = checked(TEXT_EXTRAS, parts.text_config, where('text_config'))
  checkTogether(audio, sizes, prefix)
  refuseOtherArithmetic(parts)
  checkLayerTypes(parts.text_config, sizes.num_hidden_layers, prefix)
  const outer = checked(section({ tie_word_embeddings: v.optional(truth) }), parts, { file: FILE, prefix })
  const rope = extras.rope_parameters ?? extras.rope_scaling
  const aligner = isOfAligner ? checkAligner(config, sizes.vocab_size) : undefined
  return {
    format: top.thinker_config ? 'original' : 'native',
    audio_config: audio,
    text_config: {
      ...sizes,
      rope_theta: extras.rope_theta ?? rope?.rope_theta ?? DEFAULT_ROPE_THETA,
      // As transformers reads it: the outer config decides. An aligner's head is not an embedding table.
      tie_word_embeddings:
        aligner === undefined &&
        (outer.tie_word_embeddings ?? extras.tie_word_embeddings ?? top.tie_word_embeddings ?? true),
    },
    rope_scaling: ropeScaling(extras, sizes.head_dim, prefix),
    ...(aligner && { aligner }),
    tokenIds: {
      ...tokenIds(parts, prefix, sizes.vocab_size),
      ...(aligner && { timestamp_token_id: aligner.timestamp_token_id }),
    },
  }
}

/** What one key must be to others, so that shapes fit. */
function checkTogether(
  audio: v.InferOutput<typeof AUDIO>,
  text: v.InferOutput<typeof TEXT>,
  prefix: string,
): void {
  const must = (holds: boolean, key: string, found: number, wanted: string) => {
    if (!holds) throw wrong({ file: FILE, key: prefix + key, found, wanted, hint: HINT })
  }
  const { d_model: width, encoder_attention_heads: heads, n_window_infer: window } = audio
  must(width % 2 === 0, 'audio_config.d_model', width, 'an even number')
  must(
    width % heads === 0,
    'audio_config.encoder_attention_heads',
    heads,
    `a divisor of d_model, which is ${width}`,
  )
  must(
    window % (2 * N_WINDOW) === 0,
    'audio_config.n_window_infer',
    window,
    `a multiple of 2 x n_window = ${2 * N_WINDOW}`,
  )
  must(
    audio.output_dim === text.hidden_size,
    'audio_config.output_dim',
    audio.output_dim,
    `text_config.hidden_size, which is ${text.hidden_size}`,
  )
  const { num_attention_heads: queries, num_key_value_heads: keys, head_dim: size } = text
  must(size % 2 === 0, 'text_config.head_dim', size, 'an even number')
  must(
    queries % keys === 0,
    'text_config.num_key_value_heads',
    keys,
    `a divisor of num_attention_heads, which is ${queries}`,
  )
}

/** Settings that change the computation and that the export graphs do not have: the values they must have. */
const FIXED_SETTINGS: Readonly<
  Record<'audio_config' | 'text_config', Readonly<Record<string, readonly unknown[]>>>
> = {
  audio_config: { activation_function: ['gelu'], scale_embedding: [false] },
  text_config: {
    hidden_act: ['silu'],
    attention_bias: [false],
    use_sliding_window: [false],
    sliding_window: [null],
  },
}

function refuseOtherArithmetic(parts: v.InferOutput<typeof PARTS>): void {
  for (const name of ['audio_config', 'text_config'] as const) {
    const given: JsonObject = parts[name]
    for (const [key, allowed] of Object.entries(FIXED_SETTINGS[name])) {
      if (given[key] === undefined || allowed.includes(given[key])) continue
      throw unsupported(`${name}.${key}`, given[key], allowed[0])
    }
  }
  const text: JsonObject = parts.text_config
  for (const rope of ROPE_SECTIONS.map((name) => text[name]).filter(isJsonObject)) {
    const type = rope['rope_type'] ?? rope['type'] ?? 'default'
    if (type !== 'default' && type !== 'mrope') throw unsupported('text_config rope_type', type, 'default')
    const rotated = rope['partial_rotary_factor'] ?? 1
    if (rotated !== 1) throw unsupported('text_config partial_rotary_factor', rotated, 1)
  }
}

function checkLayerTypes(given: JsonObject, layers: number, prefix: string): void {
  const found = given['layer_types'] ?? undefined
  if (found === undefined) return
  if (Array.isArray(found) && found.length === layers && found.every((type) => type === 'full_attention'))
    return
  const wanted = `"full_attention" ${layers} times, once for each layer`
  throw wrong({ file: FILE, key: `${prefix}text_config.layer_types`, found, wanted, hint: HINT })
}

function unsupported(key: string, found: unknown, wanted: unknown): Failure {
  return new Failure(
    `config.json: ${key} is ${shown(found)}, the export graphs compute with ${JSON.stringify(wanted)}.`,
    'This checkpoint is not a plain Qwen3-ASR; it cannot be exported.',
  )
}

/** M-RoPE's split of the rotary dimensions. Audio has one position axis, so it changes nothing, and is recorded. */
function ropeScaling(
  { rope_scaling: scaling, rope_parameters: parameters }: v.InferOutput<typeof TEXT_EXTRAS>,
  headDim: number,
  prefix: string,
): CheckpointConfig['rope_scaling'] {
  const [name, rope] = scaling ? ['rope_scaling', scaling] : ['rope_parameters', parameters]
  const side = Math.floor((headDim * 20) / 128)
  const parts = rope?.mrope_section ?? [headDim / 2 - 2 * side, side, side]
  const sum = parts.reduce((total, part) => total + part, 0)
  if (parts.length !== 3 || sum !== headDim / 2) {
    const key = `${prefix}text_config.${name}.mrope_section`
    const wanted = `three numbers whose sum is ${headDim / 2}, half of head_dim`
    throw wrong({ file: FILE, key, found: parts, wanted, hint: HINT })
  }
  return { mrope_section: parts, interleaved: rope?.mrope_interleaved ?? rope?.interleaved ?? true }
}

function tokenIds(parts: JsonObject, prefix: string, vocabulary: number): Record<string, number> {
  const id = v.nullish(whole(0, vocabulary - 1))
  const entries = Object.fromEntries(TOKEN_KEYS.map((key) => [key, id]))
  const found = checked(section(entries), parts, { file: FILE, prefix, hint: HINT })
  return Object.fromEntries(
    TOKEN_KEYS.flatMap((key) => {
      const value = found[key]
      return typeof value === 'number' ? [[prefix + key, value] as const] : []
    }),
  )
}
