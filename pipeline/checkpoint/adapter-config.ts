// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { type JsonObject, shown } from '../../eval/runtime/json-value.ts'
import { dictionary, list, section, text, truth, whole } from '../../eval/runtime/schema.ts'
import { checked } from '../shared/checked.ts'
import { Failure } from '../shared/failure.ts'
import { readCheckpointJson } from './checkpoint-files.ts'

/* adapter_config.json, as peft writes it. What it says decides the merged weights, so that nothing in it is passed over. */

/** File name of an adapter's configuration, by which a folder is an adapter. */
export const ADAPTER_CONFIG = 'adapter_config.json'
/** Hint for an adapter that cannot be merged here. */
export const MERGE_WITH_PEFT =
  'Merge with peft (merge_and_unload, save_pretrained) and give the merged folder to --model.'

const HINT = 'Save the adapter again with peft (save_pretrained), or download it again.'
const HIGHEST_RANK = 1 << 16
const finite = v.pipe(v.number('a number'), v.finite('a finite number'))
const rank = whole(1, HIGHEST_RANK)
const index = whole(0, 1 << 24)
const names = v.union([text, list(text)], 'a string or an array of strings')

const ENTRIES = {
  peft_type: text,
  base_model_name_or_path: v.nullish(text),
  revision: v.nullish(text),
  r: rank,
  lora_alpha: finite,
  use_rslora: v.nullish(truth),
  use_dora: v.nullish(truth),
  lora_bias: v.nullish(truth),
  bias: v.nullish(v.picklist(['none', 'all', 'lora_only'], '"none", "all" or "lora_only"')),
  rank_pattern: v.nullish(dictionary(rank)),
  alpha_pattern: v.nullish(dictionary(finite)),
  target_modules: v.nullish(names),
  exclude_modules: v.nullish(names),
  layers_to_transform: v.nullish(v.union([index, list(index)], 'a layer or an array of layers')),
  layers_pattern: v.nullish(names),
  modules_to_save: v.nullish(list(text)),
  trainable_token_indices: v.nullish(
    v.union([list(index), dictionary(list(index))], 'token ids, or an object of them by module'),
  ),
  init_lora_weights: v.nullish(v.union([truth, text], 'true, false or a method')),
}
const KEYS = section(ENTRIES)

/** Training's own, and what another key decides about. peft takes `fan_in_fan_out` back for the kinds of layers that Qwen3-ASR has. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([
  ...['auto_mapping', 'inference_mode', 'lora_dropout', 'megatron_core', 'peft_version', 'task_type'],
  ...['ensure_weight_tying', 'fan_in_fan_out', 'qalora_group_size', 'runtime_config'],
  ...['corda_config', 'eva_config', 'loftq_config', 'lora_ga_config'],
])

/** Methods that leave the base's weights as they are. Others take a part away from them, which the adapter then holds. */
const PLAIN_STARTS: readonly unknown[] = [undefined, null, true, false, 'gaussian', 'eva', 'orthogonal']

/** What an adapter's settings say. */
export interface AdapterConfig {
  /** as it stands there: a hub id, or a folder of the one who trained it */
  readonly base?: string
  /** of the base */
  readonly revision?: string
  readonly rank: number
  readonly alpha: number
  readonly isRankStabilized: boolean
  /** DoRA: rows have lengths of their own */
  readonly hasMagnitudes: boolean
  /** B has biases too */
  readonly hasBiases: boolean
  /** which biases of the base were trained */
  readonly trainedBiases: 'none' | 'all' | 'lora_only'
  readonly ranks: Readonly<Record<string, number>>
  readonly alphas: Readonly<Record<string, number>>
  readonly targets: string | readonly string[]
  readonly excluded: string | readonly string[]
  /** undefined: all */
  readonly layers?: readonly number[]
  readonly layerPatterns: readonly string[]
  readonly savedModules: readonly string[]
  /** token ids whose rows were trained, by module */
  readonly tokens: Readonly<Record<string, readonly number[]>>
}

/**
 * Read and check adapter_config.json.
 * @returns undefined when the folder has none
 * @throws Failure naming a key whose value is wrong, or that merging does not support
 */
export async function readAdapterConfig(folder: string): Promise<AdapterConfig | undefined> {
  const value = await readCheckpointJson(folder, ADAPTER_CONFIG)
  return value && checkAdapterConfig(value)
}

function checkAdapterConfig(value: JsonObject): AdapterConfig {
  if (value['peft_type'] !== 'LORA' && value['peft_type'] !== undefined) {
    throw new Failure(
      `${ADAPTER_CONFIG}: peft_type is ${shown(value['peft_type'])}, wanted "LORA".`,
      MERGE_WITH_PEFT,
    )
  }
  const found = checked(KEYS, value, { file: ADAPTER_CONFIG, hint: HINT })
  refuseUnknown(value)
  if (!PLAIN_STARTS.includes(found.init_lora_weights)) {
    throw new Failure(
      `${ADAPTER_CONFIG}: init_lora_weights is ${shown(found.init_lora_weights)}, which changes the base's weights; ` +
        'wanted true, false, "gaussian", "eva" or "orthogonal".',
      'Save it as a plain LoRA (save_pretrained with path_initial_model_for_weight_conversion), or merge with peft and give the merged folder to --model.',
    )
  }
  const { layers_to_transform: layers, layers_pattern: pattern, trainable_token_indices: tokens } = found
  return {
    ...(found.base_model_name_or_path && { base: found.base_model_name_or_path }),
    ...(found.revision && { revision: found.revision }),
    ...{ rank: found.r, alpha: found.lora_alpha },
    isRankStabilized: found.use_rslora ?? false,
    hasMagnitudes: found.use_dora ?? false,
    hasBiases: found.lora_bias ?? false,
    trainedBiases: found.bias ?? 'none',
    ...{ ranks: found.rank_pattern ?? {}, alphas: found.alpha_pattern ?? {} },
    ...{ targets: found.target_modules ?? [], excluded: found.exclude_modules ?? [] },
    ...(layers !== null && layers !== undefined && layersOf(layers)),
    layerPatterns: typeof pattern === 'string' ? [pattern].filter(Boolean) : (pattern ?? []),
    savedModules: found.modules_to_save ?? [],
    tokens: Array.isArray(tokens) ? { embed_tokens: tokens } : (tokens ?? {}),
  }
}

/** An empty list means all, as in peft. */
function layersOf(layers: number | number[]): { layers?: number[] } {
  if (typeof layers === 'number') return { layers: [layers] }
  return layers.length > 0 ? { layers } : {}
}

/** peft's newer settings are off while they are null, false or empty. */
function refuseUnknown(value: JsonObject): void {
  for (const [key, setting] of Object.entries(value)) {
    if (Object.hasOwn(ENTRIES, key) || WITHOUT_EFFECT.has(key) || isOff(setting)) continue
    throw new Failure(
      `${ADAPTER_CONFIG}: ${key} is ${shown(setting)}, which this project cannot merge.`,
      MERGE_WITH_PEFT,
    )
  }
}

function isOff(setting: unknown): boolean {
  if (setting === null || setting === false || setting === '') return true
  return typeof setting === 'object' && Object.keys(setting).length === 0
}
