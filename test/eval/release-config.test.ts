// SPDX-License-Identifier: Apache-2.0

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { readReleaseConfig } from '../../eval/runtime/release-config.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const CONFIG = {
  model_type: 'qwen3_asr',
  decoder: { hidden_size: 128, num_layers: 3, num_key_value_heads: 2, head_dim: 32 },
  special_tokens: { eos_token_ids: [441, 443] },
  embed_tokens_dtype: 'float16',
  embed_tokens_shape: [448, 128],
}

async function refusalOf(text: string): Promise<string | undefined> {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'config.json'), text)
  try {
    await readReleaseConfig(folder)
    return undefined
  } catch (error) {
    if (error instanceof SpeechError) return error.message.replace(`${folder}/`, '')
    throw error
  }
}

it('reads what a reader needs', async () => {
  expect(await refusalOf(JSON.stringify(CONFIG))).toBeUndefined()
})

it.each<[object, string]>([
  [{ decoder: null }, 'config.json: decoder is null, wanted an object.'],
  [{ decoder: [] }, 'config.json: decoder is [], wanted an object.'],
  [
    { decoder: { ...CONFIG.decoder, head_dim: -2 } },
    'config.json: decoder.head_dim is -2, wanted a whole number from 1 to 1048576.',
  ],
  [
    { decoder: { ...CONFIG.decoder, num_layers: 1e9 } },
    'config.json: decoder.num_layers is 1000000000, wanted a whole number from 1 to 1000.',
  ],
  [{ special_tokens: {} }, 'config.json: special_tokens.eos_token_ids is missing, wanted an array.'],
  [
    { special_tokens: { eos_token_ids: [] } },
    'config.json: special_tokens.eos_token_ids is [], wanted an array of ids.',
  ],
  [
    { special_tokens: { eos_token_ids: ['x'] } },
    'config.json: special_tokens.eos_token_ids.0 is "x", wanted a whole number from 0 to 16777216.',
  ],
  [
    { special_tokens: { eos_token_ids: [448] } },
    'config.json: special_tokens.eos_token_ids is [448], wanted ids below 448, the size of the vocabulary.',
  ],
  [
    { embed_tokens_shape: [448] },
    'config.json: embed_tokens_shape.1 is missing, wanted a whole number from 1 to 1048576.',
  ],
  [
    { embed_tokens_shape: [448, 64] },
    'config.json: embed_tokens_shape is [448,64], wanted [..., decoder.hidden_size], which is 128.',
  ],
  [{ model_type: 7 }, 'config.json: model_type is 7, wanted a string.'],
  [
    { model_type: 'whisper' },
    'config.json describes whisper with float16 embeddings, wanted qwen3_asr with float16.',
  ],
])('%j', async (change, message) => {
  expect(await refusalOf(JSON.stringify({ ...CONFIG, ...change }))).toBe(message)
})

it('names what is in place of the file or of the object, and waits for nothing', async () => {
  expect(await refusalOf('null')).toBe('config.json holds null, wanted an object.')
  expect(await refusalOf('{')).toBe('config.json is not valid JSON (line 1, column 2).')
  const folder = await temporaryFolder()
  const path = join(folder, 'config.json')
  await execa('mkfifo', [path])
  await expect(readReleaseConfig(folder)).rejects.toThrow(`${path} is a FIFO, wanted a file.`)
  await rm(path)
  await mkdir(path)
  await expect(readReleaseConfig(folder)).rejects.toThrow(`${path} is a directory, wanted a file.`)
})
