// SPDX-License-Identifier: Apache-2.0

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { defined } from '../../eval/runtime/defined.ts'
import type { Family } from '../../eval/runtime/graphs.ts'
import type { JsonObject } from '../../eval/runtime/json-value.ts'
import { record, section, text } from '../../eval/runtime/schema.ts'
import { checked } from '../shared/checked.ts'
import { Failure } from '../shared/failure.ts'
import { exists } from '../shared/output-files.ts'
import { ADAPTER_CONFIG } from './adapter-config.ts'
import { processorSegment } from './aligner-config.ts'
import { type CheckpointConfig, checkConfig, type TextConfig } from './checkpoint-config.ts'
import { fileOf, readCheckpointJson, refusePlace } from './checkpoint-files.ts'
import { checkProcessor } from './checkpoint-processor.ts'
import { checkTokenizer } from './checkpoint-tokenizer.ts'
import { readSafetensors, type StoredTensor } from './safetensors.ts'
import { originalNaming } from './tensor-names.ts'
import { expectedTensors } from './tensor-table.ts'

/** A checkpoint of either format under native tensor names; `python/checkpoint.py` reads this as JSON. */
export interface Checkpoint extends Omit<CheckpointConfig, 'tokenIds'> {
  readonly folder: string
  readonly tensors: Readonly<Record<string, StoredTensor>>
}

const WEIGHTS = 'model.safetensors'
const INDEX = `${WEIGHTS}.index.json`

/**
 * Read and check a checkpoint directory without reading its weights: configs, every tensor's name, shape and
 * place, the tokenizer's ids.
 * @throws Failure naming the first thing that is wrong, found against wanted
 */
export async function readCheckpoint(folder: string): Promise<Checkpoint> {
  const config = checkConfig(await readConfig(folder), folder)
  const { tokenIds: _, aligner, ...kept } = config
  const { format, audio_config, text_config } = config
  const tensors = await readTensors(
    folder,
    format === 'original' ? originalNaming(aligner !== undefined).toNative : (name) => name,
  )
  checkTensors(tensors, expectedTensors(audio_config, text_config, aligner), text_config)
  await checkTokenizer(folder, config)
  await checkProcessor(folder, text_config.vocab_size)
  const segment_ms = aligner && format === 'native' ? await processorSegment(folder) : undefined
  return {
    ...{ folder, ...kept },
    ...(aligner && { aligner: { ...aligner, ...defined({ segment_ms }) } }),
    tensors: Object.fromEntries(tensors),
  }
}

/** The kind of model that a checkpoint is of. */
export function familyOf({ aligner }: Pick<Checkpoint, 'aligner'>): Family {
  return aligner ? 'aligner' : 'asr'
}

async function readConfig(folder: string): Promise<JsonObject> {
  const info = await stat(folder).catch(() => undefined)
  if (!info?.isDirectory())
    throw new Failure(`${folder} is not a directory.`, 'Give a checkpoint directory to --model.')
  const config = await readCheckpointJson(folder, 'config.json')
  if (config !== undefined) return config
  if ((await fileOf(folder, ADAPTER_CONFIG)) !== undefined) {
    throw new Failure(
      `${folder} is an adapter, wanted a checkpoint.`,
      'npm run pipeline merges adapters with their base. Elsewhere give a merged checkpoint.',
    )
  }
  throw new Failure(
    `${folder} is not a checkpoint: it holds neither config.json nor adapter_config.json.`,
    (await namedBelow(folder)) ??
      'Give a directory to --model that holds a checkpoint (config.json, model.safetensors) or an adapter.',
  )
}

/** Directories that a hint names. */
const MOST_NAMED = 4

/**
 * A hint for a folder above checkpoints and adapters: training programs save these in folders of their own, such as
 * `checkpoint-500`.
 * @returns undefined where there are none
 */
export async function namedBelow(folder: string): Promise<string | undefined> {
  const below: string[] = []
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (!entry.isDirectory()) continue
    for (const name of ['config.json', ADAPTER_CONFIG]) if (await exists(join(path, name))) below.push(path)
  }
  const found = [...new Set(below)].sort(collator.compare)
  if (found.length === 0) return undefined
  const more = found.length > MOST_NAMED ? [`${found.length - MOST_NAMED} more`] : []
  const names = [...found.slice(-MOST_NAMED), ...more] // the last ones are the most trained
  return `Give a directory in it to --model: ${names.join(' or ')}`
}

/** checkpoint-500 before checkpoint-1000. */
const collator = new Intl.Collator('en', { numeric: true })

async function readTensors(
  folder: string,
  nativeName: (name: string) => string,
): Promise<Map<string, StoredTensor>> {
  const map = await readIndex(folder)
  const shards = map ? [...new Set(Object.values(map))].sort() : [WEIGHTS]
  const tensors = new Map<string, StoredTensor>()
  for (const shard of shards) {
    for (const [name, tensor] of await readSafetensors(folder, shard)) {
      const native = nativeName(name)
      if (tensors.has(native))
        throw new Failure(`The tensor ${name} is in ${tensor.file} and in ${tensors.get(native)?.file}.`)
      tensors.set(native, tensor)
    }
  }
  for (const [name, shard] of Object.entries(map ?? {})) {
    if (tensors.has(nativeName(name))) continue
    throw new Failure(`The index lists ${name} in ${shard}, which does not hold it.`)
  }
  return tensors
}

/** Which shard holds which tensor. @returns undefined for a checkpoint of one file */
async function readIndex(folder: string): Promise<Readonly<Record<string, string>> | undefined> {
  const index = await readCheckpointJson(folder, INDEX)
  if (index === undefined) return undefined
  const hint = 'Download the checkpoint again.'
  const schema = section({ weight_map: record(text) })
  const { weight_map: map } = checked(schema, index, { file: INDEX, hint })
  for (const [name, shard] of Object.entries(map)) refusePlace(shard, `${INDEX}: weight_map.${name}`)
  return map
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
        `The checkpoint has no tensor ${name}, which its config.json requires.`,
        'Download it again.',
      )
    }
    if (tensor.shape.join() !== shape.join()) {
      throw new Failure(
        `config.json and the weights contradict each other: ${name} is [${tensor.shape.join(', ')}], ` +
          `the config requires [${shape.join(', ')}].`,
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
