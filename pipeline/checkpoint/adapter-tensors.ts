// SPDX-License-Identifier: Apache-2.0

import { Failure } from '../shared/failure.ts'
import { MERGE_WITH_PEFT } from './adapter-config.ts'
import { fileOf } from './checkpoint-files.ts'
import { readSafetensors, type StoredTensor } from './safetensors.ts'
import { type Naming, namingOf } from './tensor-names.ts'

/** File name of an adapter's weights, as peft writes it. */
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors'

/** What peft writes before the name of a module. */
const PREFIX = 'base_model.model.'

/** What may be trained of a module, by the end of its key. Source: peft 0.21 `get_peft_model_state_dict` */
const ENDINGS = {
  a: '.lora_A.weight',
  b: '.lora_B.weight',
  bBias: '.lora_B.bias',
  embeddingA: '.lora_embedding_A',
  embeddingB: '.lora_embedding_B',
  magnitude: '.lora_magnitude_vector',
  tokens: '.token_adapter.trainable_tokens_delta',
  baseWeight: '.base_layer.weight',
  baseBias: '.base_layer.bias',
  weight: '.weight',
  bias: '.bias',
} as const

/** Names that peft gives to parts of modules, they are not modules themselves. */
const PARTS = /\.(lora_\w+|base_layer|modules_to_save|original_module|token_adapter)(\.|$)/

/** A tensor of an adapter, with its key for messages. */
export interface AdapterTensor extends StoredTensor {
  readonly key: string
}

/** Everything that an adapter holds of one module. */
export type Trained = Partial<Record<keyof typeof ENDINGS, AdapterTensor>>

/** The tensors of an adapter, sorted by the modules that they change. */
export interface AdapterTensors {
  /** by module, as the finetuner's model names it */
  readonly modules: ReadonlyMap<string, Trained>
  readonly naming: Naming
}

/**
 * Read the header of an adapter's weights, and sort it by modules.
 * @param hasClasses whether the base is a forced aligner
 * @throws Failure for a damaged file, and for a key that peft does not write or that is none of Qwen3-ASR
 */
export async function readAdapterTensors(folder: string, hasClasses: boolean): Promise<AdapterTensors> {
  const tensors = await readHeader(folder)
  const modules = new Map<string, Trained>()
  for (const [key, tensor] of tensors) {
    const { module, part } = partOf(key)
    modules.set(module, { ...modules.get(module), [part]: { ...tensor, key } })
  }
  const naming = namingOf(
    [...modules.keys()].map((module) => `${module}.`),
    hasClasses,
  )
  if (modules.size === 0) throw new Failure(`${ADAPTER_WEIGHTS} holds no tensors.`, 'Save the adapter again.')
  if (naming === undefined) {
    const strange = [...modules.keys()].find((module) => !namingOf([`${module}.`], hasClasses))
    throw new Failure(
      `${ADAPTER_WEIGHTS} has tensors of ${strange ?? 'modules in several formats'}, which is not a module of a Qwen3-ASR.`,
      'Give an adapter of a Qwen3-ASR, trained on the whole model or on its thinker.',
    )
  }
  return { modules, naming }
}

async function readHeader(folder: string): Promise<Map<string, StoredTensor>> {
  if ((await fileOf(folder, ADAPTER_WEIGHTS)) === undefined) {
    const hasPickle = (await fileOf(folder, 'adapter_model.bin').catch(() => undefined)) !== undefined
    throw new Failure(
      `The adapter ${folder} has no ${ADAPTER_WEIGHTS}.`,
      hasPickle
        ? 'adapter_model.bin can run code when it is read. Save the adapter again with safetensors (save_pretrained).'
        : 'Save the adapter again with peft (save_pretrained), or download it again.',
    )
  }
  try {
    return await readSafetensors(folder, ADAPTER_WEIGHTS)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(error.message, error.hint.replace('checkpoint', 'adapter'), error.exitCode)
  }
}

function partOf(key: string): { module: string; part: keyof typeof ENDINGS } {
  const name = key.startsWith(PREFIX) ? key.slice(PREFIX.length) : ''
  for (const [part, ending] of Object.entries(ENDINGS) as [keyof typeof ENDINGS, string][]) {
    const module = name.slice(0, -ending.length)
    if (name.endsWith(ending) && module !== '' && !PARTS.test(module)) return { module, part }
  }
  throw new Failure(
    `${ADAPTER_WEIGHTS} has a tensor ${JSON.stringify(key)}, which this project cannot merge.`,
    MERGE_WITH_PEFT,
  )
}
