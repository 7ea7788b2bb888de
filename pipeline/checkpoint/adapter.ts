// SPDX-License-Identifier: Apache-2.0

import { isAbsolute, join } from 'node:path'
import { Failure } from '../shared/failure.ts'
import { ADAPTER_CONFIG, type AdapterConfig, readAdapterConfig } from './adapter-config.ts'
import { type MergedTensor, planMerge } from './adapter-plan.ts'
import { ADAPTER_WEIGHTS, readAdapterTensors } from './adapter-tensors.ts'
import type { Checkpoint } from './checkpoint.ts'
import { fileOf } from './checkpoint-files.ts'
import { layoutOf } from './merge-adapter.ts'

/** A LoRA adapter that has been checked against its base: what merging the two changes. */
export interface Adapter {
  /** its folder */
  readonly folder: string
  readonly config: AdapterConfig
  readonly tensors: readonly MergedTensor[]
  /** where the merged tensors are while they are needed */
  readonly file: string
  /** of that file */
  readonly bytes: number
  /** modules that target_modules names, but that it has no tensors of: they stay as the base's */
  readonly untrained: number
}

/** What decides an adapter's content, in a folder that may hold more. */
export const ADAPTER_FILES = [ADAPTER_CONFIG, ADAPTER_WEIGHTS] as const

const CHECKPOINT_WEIGHTS = ['model.safetensors', 'model.safetensors.index.json'] as const

/**
 * Whether a folder holds an adapter in place of a checkpoint.
 * @throws Failure when it holds both
 */
export async function isAdapter(folder: string): Promise<boolean> {
  if ((await fileOf(folder, ADAPTER_CONFIG)) === undefined) return false
  for (const weights of CHECKPOINT_WEIGHTS) {
    if ((await fileOf(folder, weights)) === undefined) continue
    throw new Failure(
      `${folder} holds both ${weights} and ${ADAPTER_CONFIG}: a checkpoint and an adapter.`,
      'Put them into folders of their own, and give one to --model.',
    )
  }
  return true
}

/** Settings of the adapter in a folder. @throws Failure as {@link readAdapterConfig}, and when it has none */
export async function adapterSettings(folder: string): Promise<AdapterConfig> {
  const config = await readAdapterConfig(folder)
  if (config) return config
  throw new Failure(
    `${folder} holds no ${ADAPTER_CONFIG}.`,
    'Save the adapter again with peft (save_pretrained).',
  )
}

/**
 * Check an adapter against its base, and say what the two are when they are merged. Reads headers alone.
 * @param file where merged tensors will be, an absolute path
 * @throws Failure for the first thing that does not fit
 */
export async function applyAdapter(
  base: Checkpoint,
  folder: string,
  file: string,
): Promise<{ checkpoint: Checkpoint; adapter: Adapter }> {
  const config = await adapterSettings(folder)
  const found = await readAdapterTensors(folder, base.aligner !== undefined)
  const { tensors, untrained } = planMerge(base, config, found)
  const path = isAbsolute(file) ? file : join(process.cwd(), file)
  const { places, bytes } = layoutOf(tensors, path)
  const merged = Object.entries(base.tensors).map(([name, tensor]) => [name, places.get(name) ?? tensor])
  return {
    checkpoint: { ...base, tensors: Object.fromEntries(merged) },
    adapter: { folder, config, tensors, file: path, bytes, untrained },
  }
}
