// SPDX-License-Identifier: Apache-2.0

import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MODELS } from '../../pipeline/models.ts'

export const TINY = MODELS.tiny.source.folder

type Json = Record<string, unknown>

/** A copy of the tiny checkpoint that a test may damage. */
export async function copyTiny(folder: string): Promise<string> {
  const copy = join(folder, 'copy-of-tiny')
  await cp(TINY, copy, { recursive: true })
  return copy
}

export async function editJson(folder: string, name: string, edit: (value: Json) => Json): Promise<void> {
  const path = join(folder, name)
  await writeFile(path, JSON.stringify(edit(JSON.parse(await readFile(path, 'utf8')))))
}

/** Rewrite the header of a safetensors file; the weights stay. */
export async function editHeader(path: string, edit: (header: Json) => Json): Promise<void> {
  const bytes = await readFile(path)
  const length = Number(bytes.readBigUInt64LE(0))
  const json = Buffer.from(JSON.stringify(edit(JSON.parse(bytes.subarray(8, 8 + length).toString()))))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(json.length))
  await writeFile(path, Buffer.concat([size, json, bytes.subarray(8 + length)]))
}

/** The tiny checkpoint as the original repositories lay one out: thinker names, M-RoPE keys, two shards, vocab.json and merges.txt. */
export async function makeOriginalLayout(folder: string): Promise<string> {
  const out = join(folder, 'original')
  await mkdir(out)
  const config = JSON.parse(await readFile(join(TINY, 'config.json'), 'utf8'))
  const { rope_parameters: rope, ...text } = config.text_config
  const scaling = {
    mrope_interleaved: true,
    interleaved: true,
    mrope_section: [6, 5, 5],
    rope_type: 'default',
  }
  await writeFile(
    join(out, 'config.json'),
    JSON.stringify({
      architectures: ['Qwen3ASRForConditionalGeneration'],
      model_type: 'qwen3_asr',
      thinker_config: {
        audio_config: { ...config.audio_config, model_type: 'qwen3_asr_audio_encoder' },
        text_config: { ...text, rope_theta: rope.rope_theta, rope_scaling: scaling },
      },
    }),
  )
  await writeShards(out)
  await writeOriginalTokenizer(out)
  return out
}

/** The weights in two shards with their index, under the original names. */
async function writeShards(out: string): Promise<void> {
  const bytes = await readFile(join(TINY, 'model.safetensors'))
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const header = JSON.parse(bytes.subarray(8, start).toString())
  const entries = Object.entries<{ data_offsets: [number, number] }>(header).filter(
    ([name]) => name !== '__metadata__',
  )
  const map: Record<string, string> = {}
  for (const shard of [0, 1]) {
    const file = `model-0000${shard + 1}-of-00002.safetensors`
    const parts: Buffer[] = []
    const own: Json = {}
    let end = 0
    for (const [name, entry] of entries.filter((_, i) => i % 2 === shard)) {
      const [from, to] = entry.data_offsets
      own[originalName(name)] = { ...entry, data_offsets: [end, end + to - from] }
      map[originalName(name)] = file
      parts.push(bytes.subarray(start + from, start + to))
      end += to - from
    }
    const json = Buffer.from(JSON.stringify(own))
    const size = Buffer.alloc(8)
    size.writeBigUInt64LE(BigInt(json.length))
    await writeFile(join(out, file), Buffer.concat([size, json, ...parts]))
  }
  await writeFile(join(out, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
}

function originalName(name: string): string {
  return name
    .replace(/^model\.multi_modal_projector\.linear_/, 'thinker.audio_tower.proj')
    .replace(/^model\.language_model\./, 'thinker.model.')
    .replace(/^model\./, 'thinker.')
}

async function writeOriginalTokenizer(out: string): Promise<void> {
  const tokenizer = JSON.parse(await readFile(join(TINY, 'tokenizer.json'), 'utf8'))
  const added: { id: number; content: string; special: boolean }[] = tokenizer.added_tokens
  const names = new Set(added.map(({ content }) => content))
  const vocab = Object.entries(tokenizer.model.vocab).filter(([token]) => !names.has(token))
  const merges: (string | string[])[] = tokenizer.model.merges
  await writeFile(join(out, 'vocab.json'), JSON.stringify(Object.fromEntries(vocab)))
  await writeFile(
    join(out, 'merges.txt'),
    `#version: 0.2\n${merges.map((merge) => (Array.isArray(merge) ? merge.join(' ') : merge)).join('\n')}\n`,
  )
  await writeFile(
    join(out, 'tokenizer_config.json'),
    JSON.stringify({
      tokenizer_class: 'Qwen2Tokenizer',
      pad_token: '<|endoftext|>',
      added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [id, token])),
    }),
  )
}
