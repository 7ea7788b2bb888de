// SPDX-License-Identifier: Apache-2.0

import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { seededRandom } from '../eval/random.ts'
import { parseJsonObject } from '../eval/runtime/json-file.ts'
import { isJsonObject, type JsonObject } from '../eval/runtime/json-value.ts'
import { readSafetensors, type StoredTensor } from '../pipeline/checkpoint/safetensors.ts'
import { Failure, failing } from '../pipeline/shared/failure.ts'

/*
 * The outlier twin of a checkpoint: the same function, with activations as large models have them. A few channels of every norm are
 * multiplied, and the columns of the weights behind them divided by as much. 8-bit activations with one scale for all channels lose the
 * rest of them; smoothing must bring it back. The factors are powers of two: no weight is rounded, and FP32's products are the same.
 */

/** Of the channels of one norm. */
export const FACTORS = [256, 512, 512] as const

const WEIGHTS = 'model.safetensors'
const NOT_COPIED = [WEIGHTS, 'README.md']
const DECODER = 'model.language_model.'
const [EMBEDDING, HEAD] = [`${DECODER}embed_tokens.weight`, 'lm_head.weight']
const AGAIN = 'Give the bundled tiny checkpoint, or one laid out as it is.'

/** The weights behind each norm of a layer. */
const BEHIND = {
  input_layernorm: ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
  post_attention_layernorm: ['mlp.gate_proj', 'mlp.up_proj'],
} as const

type Change = (values: Float32Array) => void

/**
 * Write the twin of a checkpoint of tied bfloat16 weights in one file.
 * @throws Failure when the checkpoint is laid out differently
 */
export async function makeTwin(from: string, to: string, seed = 1): Promise<void> {
  const config = parseJsonObject(await readFile(join(from, 'config.json')), 'config.json', failing(AGAIN))
  const tensors = await readSafetensors(from, WEIGHTS)
  if (tensors.has(HEAD) || !tensors.has(EMBEDDING))
    throw new Failure(`${from} has no native tied weights, which the twin is made of.`, AGAIN)
  await mkdir(to, { recursive: true })
  await cp(from, to, { recursive: true, filter: (path) => !NOT_COPIED.includes(basename(path)) })
  await writeFile(join(to, 'config.json'), JSON.stringify(untied(config), undefined, 2))
  await writeFile(join(to, WEIGHTS), await changed(join(from, WEIGHTS), tensors, seed))
}

/** The output layer is no longer the embedding's: the final norm's channels are divided in it alone. */
function untied({ text_config: text, ...config }: JsonObject): JsonObject {
  const own = { tie_word_embeddings: false }
  return { ...config, text_config: { ...(isJsonObject(text) ? text : {}), ...own }, ...own }
}

async function changed(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  seed: number,
): Promise<Buffer> {
  const file = await readFile(path)
  const changes = changesOf([...tensors.keys()], tensors.get(`${DECODER}norm.weight`)?.shape[0] ?? 0, seed)
  const header: Record<string, object> = {}
  const parts: Buffer[] = []
  let end = 0
  for (const name of [...tensors.keys(), HEAD]) {
    const stored = tensors.get(name === HEAD ? EMBEDDING : name) as StoredTensor
    if (stored.dtype !== 'BF16')
      throw new Failure(`${name} is stored as ${stored.dtype}, wanted BF16.`, AGAIN)
    const bytes = Buffer.from(file.subarray(stored.start, stored.end))
    const change = changes.get(name)
    if (change) rewrite(bytes, change)
    header[name] = { dtype: 'BF16', shape: [...stored.shape], data_offsets: [end, end + bytes.length] }
    end += bytes.length
    parts.push(bytes)
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, json, ...parts])
}

function changesOf(names: readonly string[], width: number, seed: number): Map<string, Change> {
  const random = seededRandom(seed)
  const changes = new Map<string, Change>()
  for (const name of names) {
    const [, layer = '', norm = ''] = /^(.*\.|)(\w*norm)\.weight$/.exec(name.replace(DECODER, '')) ?? []
    const behind = BEHIND[norm as keyof typeof BEHIND]?.map((weight) => `${DECODER}${layer}${weight}.weight`)
    const weights = name === `${DECODER}norm.weight` ? [HEAD] : name.startsWith(DECODER) ? behind : undefined
    if (!weights) continue
    const channels = drawn(width, random)
    changes.set(name, (values) => {
      for (const [channel, factor] of channels) values[channel] = (values[channel] as number) * factor
    })
    for (const weight of weights) changes.set(weight, (values) => divideColumns(values, width, channels))
  }
  return changes
}

/** Different channels, with their factors. */
function drawn(width: number, random: () => number): Map<number, number> {
  const channels = new Map<number, number>()
  for (const factor of FACTORS) {
    let channel: number
    do channel = Math.floor(random() * width)
    while (channels.has(channel))
    channels.set(channel, factor)
  }
  return channels
}

/** values [N, width] */
function divideColumns(values: Float32Array, width: number, channels: ReadonlyMap<number, number>): void {
  for (const [channel, factor] of channels)
    for (let at = channel; at < values.length; at += width) values[at] = (values[at] as number) / factor
}

/** bfloat16 is the upper half of a float32. */
function rewrite(bytes: Buffer, change: Change): void {
  const bits = new Uint32Array(bytes.length / 2)
  for (let i = 0; i < bits.length; i++) bits[i] = bytes.readUInt16LE(2 * i) << 16
  change(new Float32Array(bits.buffer))
  for (let i = 0; i < bits.length; i++) bytes.writeUInt16LE((bits[i] as number) >>> 16, 2 * i)
}
