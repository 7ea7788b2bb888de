import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeTokenizer, SPECIAL_TOKENS } from '../../eval/tokenizer.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { JSON_FILES } from '../layout.ts'

type Json = Readonly<Record<string, unknown>>

/** Keys of config.json that readers require, and of what type (release contract, section 5). */
const CONFIG_KEYS: Readonly<Record<string, readonly string[]>> = {
  encoder: [
    ...['num_layers', 'hidden_size', 'num_heads', 'ffn_dim', 'conv_channels', 'output_dim'],
    ...['downsample_factor', 'num_mel_bins'],
  ],
  decoder: [
    ...['num_layers', 'hidden_size', 'num_attention_heads', 'num_key_value_heads', 'head_dim'],
    ...['intermediate_size', 'vocab_size', 'rope_theta', 'rms_norm_eps'],
  ],
  mel: ['sample_rate', 'n_fft', 'hop_length', 'n_mels', 'fmin', 'fmax'],
  special_tokens: [
    ...['pad_token_id', 'im_start_token_id', 'im_end_token_id', 'audio_start_token_id'],
    ...['audio_end_token_id', 'audio_pad_token_id', 'asr_text_token_id'],
  ],
}

/** Each id of config.json with the token that has it in tokenizer.json. */
const TOKEN_IDS = {
  im_start_token_id: SPECIAL_TOKENS.imStart,
  im_end_token_id: SPECIAL_TOKENS.imEnd,
  audio_start_token_id: SPECIAL_TOKENS.audioStart,
  audio_end_token_id: SPECIAL_TOKENS.audioEnd,
  audio_pad_token_id: SPECIAL_TOKENS.audioPad,
  asr_text_token_id: SPECIAL_TOKENS.asrText,
} as const

/**
 * What about a folder breaks the release contract, without running it: graphs, data files, all four JSON files, and
 * whether these agree with each other.
 * @param only names of the release's files, where others lie beside them
 */
export async function releaseProblems(folder: string, only?: readonly string[]): Promise<string[]> {
  const problems: string[] = []
  const files = new Map<string, Json>()
  for (const name of JSON_FILES) {
    const text = await readFile(join(folder, name), 'utf8').catch(() => undefined)
    if (text === undefined) problems.push(`${name} is missing: every archive holds it.`)
    else
      try {
        files.set(name, JSON.parse(text))
      } catch {
        problems.push(`${name} is not valid JSON.`)
      }
  }
  const config = files.get('config.json')
  if (config) problems.push(...configProblems(config))
  const [tokenizer, tokenizerConfig] = [files.get('tokenizer.json'), files.get('tokenizer_config.json')]
  if (config && tokenizer && tokenizerConfig)
    problems.push(...tokenProblems(config, tokenizer, tokenizerConfig))
  return [...problems, ...(await verifyFolder(folder, only)).problems]
}

function configProblems(config: Json): string[] {
  const problems: string[] = []
  if (config['model_type'] !== 'qwen3_asr')
    problems.push(`config.json has model_type ${JSON.stringify(config['model_type'])}, wanted "qwen3_asr".`)
  if (config['embed_tokens_dtype'] !== 'float16')
    problems.push(
      `config.json has embed_tokens_dtype ${JSON.stringify(config['embed_tokens_dtype'])}, wanted "float16".`,
    )
  for (const [section, keys] of Object.entries(CONFIG_KEYS)) {
    const found = (config[section] ?? {}) as Json
    const missing = keys.filter((key) => typeof found[key] !== 'number')
    if (missing.length > 0)
      problems.push(`config.json has no number ${section}.${missing.join(`, ${section}.`)}.`)
  }
  const ends = ((config['special_tokens'] ?? {}) as Json)['eos_token_ids']
  if (!Array.isArray(ends) || ends.length === 0)
    problems.push('config.json has no special_tokens.eos_token_ids.')
  if (!Array.isArray(config['embed_tokens_shape'])) problems.push('config.json has no embed_tokens_shape.')
  if (typeof config['quantization'] !== 'object') problems.push('config.json has no quantization.')
  return problems
}

function tokenProblems(config: Json, tokenizerJson: Json, tokenizerConfig: Json): string[] {
  const ids = (config['special_tokens'] ?? {}) as Json
  try {
    const tokenizer = makeTokenizer(tokenizerJson, tokenizerConfig)
    return Object.entries(TOKEN_IDS).flatMap(([key, token]) => {
      const id = tokenizer.idOf(token)
      return ids[key] === id
        ? []
        : [`config.json has ${key} ${ids[key]}, but ${token} is ${id} in tokenizer.json.`]
    })
  } catch (error) {
    return [`tokenizer.json cannot be used: ${(error as Error).message}`]
  }
}
