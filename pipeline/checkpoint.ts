import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { SPECIAL_TOKENS } from '../eval/tokenizer.ts'
import { Failure } from './failure.ts'
import { readSafetensors, type StoredTensor } from './safetensors.ts'
import { type AudioConfig, expectedTensors, type TextConfig } from './tensor-table.ts'

/** A checkpoint of either layout under native tensor names; `python/checkpoint.py` reads this as JSON. */
export interface Checkpoint {
  readonly folder: string
  readonly layout: 'native' | 'original'
  readonly audio_config: AudioConfig
  readonly text_config: TextConfig
  readonly rope_scaling: { readonly mrope_section: readonly number[]; readonly interleaved: boolean }
  readonly tensors: Readonly<Record<string, StoredTensor>>
}

type Json = Readonly<Record<string, unknown>>

const AUDIO_KEYS = [
  'encoder_layers', 'd_model', 'encoder_attention_heads', 'encoder_ffn_dim', 'downsample_hidden_size', 'num_mel_bins',
  'n_window', 'n_window_infer', 'output_dim',
] as const // biome-ignore format: a list of names
const TEXT_KEYS = [
  'vocab_size',
  'hidden_size',
  'intermediate_size',
  'num_hidden_layers',
  'num_attention_heads',
  'num_key_value_heads',
  'head_dim',
  'rms_norm_eps',
] as const
const DEFAULT_ROPE_THETA = 1e6
const WEIGHTS = 'model.safetensors'

/**
 * Read and check a checkpoint directory without reading its weights: configs, every tensor's name, shape and
 * place, the tokenizer's audio tokens.
 * @throws Failure naming the first thing that is wrong, found against wanted
 */
export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  const config = await readConfig(folder)
  const thinker = config['thinker_config'] as Json | undefined
  refuseForcedAligner(folder, config, thinker)
  const parts = thinker ?? config
  const audio = pick(parts, 'audio_config', AUDIO_KEYS) as unknown as AudioConfig
  const text = textConfig(parts, config)
  refuseOtherArithmetic(parts)
  const layout = thinker ? 'original' : 'native'
  const tensors = await readTensors(folder, layout)
  checkTensors(tensors, expectedTensors(audio, text), text)
  await checkTokenizer(folder)
  return {
    folder,
    layout,
    audio_config: audio,
    text_config: text,
    rope_scaling: ropeScaling(parts, text.head_dim),
    tensors: Object.fromEntries(tensors),
  }
}

/** The files that decide what an export of this checkpoint is, for its fingerprint. */
export async function checkpointFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder)
  return names.filter((name) => /\.(json|safetensors|txt)$/.test(name)).sort()
}

async function readConfig(folder: string): Promise<Json> {
  const info = await stat(folder).catch(() => undefined)
  if (!info?.isDirectory())
    throw new Failure(`${folder} is no directory.`, 'Give a checkpoint directory to --model.')
  const config = await readJson(folder, 'config.json')
  if (config === undefined) {
    throw new Failure(
      `${folder} is no checkpoint: it holds no config.json.`,
      'Give the directory with config.json and model.safetensors to --model.',
    )
  }
  if (config['model_type'] !== 'qwen3_asr') {
    throw new Failure(
      `${folder}/config.json has model_type ${JSON.stringify(config['model_type'])}, wanted "qwen3_asr".`,
      'Give a Qwen3-ASR checkpoint to --model.',
    )
  }
  return config
}

function refuseForcedAligner(folder: string, config: Json, thinker: Json | undefined): void {
  const architectures = (config['architectures'] ?? []) as readonly string[]
  const classifies = architectures.some(
    (name) => name.includes('TokenClassification') || name.includes('ForcedAligner'),
  )
  if (thinker?.['classify_num'] === undefined && !classifies) return
  throw new Failure(
    `${folder} is a forced aligner (it classifies timestamps), wanted a speech recognition checkpoint.`,
    'Forced aligners are not supported yet; give Qwen3-ASR-0.6B or -1.7B.',
  )
}

/** Settings that change the computation and that the export graphs do not have: the values they must have. */
const FIXED_SETTINGS: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>> = {
  audio_config: { activation_function: ['gelu'], scale_embedding: [false] },
  text_config: {
    hidden_act: ['silu'],
    attention_bias: [false],
    use_sliding_window: [false],
    sliding_window: [null],
  },
}

function refuseOtherArithmetic(parts: Json): void {
  for (const [section, settings] of Object.entries(FIXED_SETTINGS)) {
    const given = parts[section] as Json
    for (const [key, allowed] of Object.entries(settings)) {
      if (given[key] === undefined || allowed.includes(given[key])) continue
      throw unsupported(`${section}.${key}`, given[key], allowed[0])
    }
  }
  const text = parts['text_config'] as Json
  for (const rope of [text['rope_parameters'], text['rope_scaling']] as (Json | null | undefined)[]) {
    const type = rope?.['rope_type'] ?? rope?.['type'] ?? 'default'
    if (type !== 'default' && type !== 'mrope') throw unsupported('text_config rope_type', type, 'default')
  }
}

function unsupported(key: string, found: unknown, wanted: unknown): Failure {
  return new Failure(
    `config.json: ${key} is ${JSON.stringify(found)}, the export graphs compute with ${JSON.stringify(wanted)}.`,
    'This checkpoint is no plain Qwen3-ASR; it cannot be exported.',
  )
}

function textConfig(parts: Json, config: Json): TextConfig {
  const text = pick(parts, 'text_config', TEXT_KEYS)
  const given = parts['text_config'] as Json
  const rope = (given['rope_parameters'] ?? given['rope_scaling'] ?? {}) as Json
  return {
    ...text,
    rope_theta: Number(given['rope_theta'] ?? rope['rope_theta'] ?? DEFAULT_ROPE_THETA),
    // As transformers reads it: the outer config decides.
    tie_word_embeddings: Boolean(
      parts['tie_word_embeddings'] ?? given['tie_word_embeddings'] ?? config['tie_word_embeddings'] ?? true,
    ),
  } as unknown as TextConfig
}

/** M-RoPE's split of the rotary dimensions. Audio has one position axis, so it changes nothing but is recorded. */
function ropeScaling(parts: Json, headDim: number): Checkpoint['rope_scaling'] {
  const text = parts['text_config'] as Json
  const rope = (text['rope_scaling'] ?? text['rope_parameters'] ?? {}) as Json
  const side = Math.floor((headDim * 20) / 128)
  const section = (rope['mrope_section'] as number[] | undefined) ?? [headDim / 2 - 2 * side, side, side]
  return {
    mrope_section: section,
    interleaved: Boolean(rope['mrope_interleaved'] ?? rope['interleaved'] ?? true),
  }
}

function pick(parts: Json, section: string, keys: readonly string[]): Json {
  const given = parts[section] as Json | undefined
  if (given === undefined)
    throw new Failure(`config.json has no ${section}.`, 'Give a Qwen3-ASR checkpoint to --model.')
  const bad = keys.find((key) => typeof given[key] !== 'number')
  if (bad)
    throw new Failure(`config.json: ${section}.${bad} is ${JSON.stringify(given[bad])}, wanted a number.`)
  return Object.fromEntries(keys.map((key) => [key, given[key]]))
}

async function readTensors(folder: string, layout: Checkpoint['layout']): Promise<Map<string, StoredTensor>> {
  const index = await readJson(folder, `${WEIGHTS}.index.json`)
  const map = (index?.['weight_map'] ?? {}) as Readonly<Record<string, string>>
  const shards = index ? [...new Set(Object.values(map))].sort() : [WEIGHTS]
  const tensors = new Map<string, StoredTensor>()
  for (const shard of shards) {
    for (const [name, tensor] of await readSafetensors(folder, shard)) {
      const native = layout === 'original' ? nativeName(name) : name
      if (tensors.has(native))
        throw new Failure(`The tensor ${name} is in ${tensor.file} and in ${tensors.get(native)?.file}.`)
      tensors.set(native, tensor)
    }
  }
  const lost = Object.keys(map).find((name) => !tensors.has(layout === 'original' ? nativeName(name) : name))
  if (lost) throw new Failure(`The index promises ${lost} in ${map[lost]}, which does not hold it.`)
  return tensors
}

function nativeName(name: string): string {
  return name
    .replace(/^thinker\.audio_tower\.proj([12])\./, 'model.multi_modal_projector.linear_$1.')
    .replace(/^thinker\.model\./, 'model.language_model.')
    .replace(/^thinker\.lm_head\./, 'lm_head.')
    .replace(/^thinker\./, 'model.')
}

function checkTensors(
  found: ReadonlyMap<string, StoredTensor>,
  expected: ReadonlyMap<string, readonly number[]>,
  text: TextConfig,
): void {
  for (const [name, shape] of expected) {
    const tensor = found.get(name)
    if (tensor === undefined) {
      throw new Failure(
        `The checkpoint has no tensor ${name}, which its config.json calls for.`,
        'Download it again.',
      )
    }
    if (tensor.shape.join() !== shape.join()) {
      throw new Failure(
        `config.json and the weights contradict each other: ${name} is [${tensor.shape.join(', ')}], ` +
          `the config wants [${shape.join(', ')}].`,
        'Use config.json and weights of one checkpoint.',
      )
    }
  }
  const unexpected = [...found.keys()].find((name) => !expected.has(name) && !isTiedHead(name, text))
  if (unexpected) {
    throw new Failure(
      `The checkpoint has an unexpected tensor ${unexpected}.`,
      'Use config.json and weights of one checkpoint.',
    )
  }
}

/** Some writers store the tied lm_head a second time. */
function isTiedHead(name: string, text: TextConfig): boolean {
  return text.tie_word_embeddings && name === 'lm_head.weight'
}

async function checkTokenizer(folder: string): Promise<void> {
  const config = await readJson(folder, 'tokenizer_config.json')
  if (config === undefined)
    throw new Failure(`${folder} holds no tokenizer_config.json.`, 'Download the checkpoint again.')
  const known = await tokenStrings(folder, config)
  const missing = Object.values(SPECIAL_TOKENS).filter((token) => !known.has(token))
  if (missing.length > 0) {
    throw new Failure(
      `The tokenizer in ${folder} lacks ${missing.join(', ')}: it is no Qwen3-ASR tokenizer.`,
      'Use the tokenizer files of the checkpoint.',
    )
  }
}

async function tokenStrings(folder: string, config: Json): Promise<Set<string>> {
  const tokenizer = await readJson(folder, 'tokenizer.json')
  if (tokenizer) {
    const added = (tokenizer['added_tokens'] ?? []) as readonly { content: string }[]
    const vocab = ((tokenizer['model'] as Json | undefined)?.['vocab'] ?? {}) as Json
    return new Set([...added.map(({ content }) => content), ...Object.keys(vocab)])
  }
  const vocab = await readJson(folder, 'vocab.json')
  if (vocab === undefined) {
    throw new Failure(
      `${folder} holds neither tokenizer.json nor vocab.json.`,
      'Download the checkpoint again.',
    )
  }
  const added = (config['added_tokens_decoder'] ?? {}) as Readonly<Record<string, { content: string }>>
  return new Set([...Object.keys(vocab), ...Object.values(added).map(({ content }) => content)])
}

async function readJson(folder: string, name: string): Promise<Json | undefined> {
  const path = join(folder, name)
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
    return undefined
  })
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure(`${path} is no JSON.`, 'Download the checkpoint again.')
  }
}
