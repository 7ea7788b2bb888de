// SPDX-License-Identifier: Apache-2.0

import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isJsonObject, type JsonObject } from '../../eval/runtime/json-value.ts'
import type { FileChange } from '../../graph-tools/commit.ts'
import { Failure } from '../shared/failure.ts'
import { setMember } from './json-text.ts'

/** What becomes of config.json. */
export interface EmbeddingConfig {
  readonly state: 'written' | 'right' | 'missing'
  readonly changes: readonly FileChange[]
}

/**
 * The folder's config.json with the embedding table's type and shape, every other byte as it was.
 * @throws Failure when it holds no JSON object
 */
export async function configChange(folder: string, shape: readonly number[]): Promise<EmbeddingConfig> {
  const path = join(folder, 'config.json')
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (bytes === undefined) return { state: 'missing', changes: [] }
  if (!isUtf8(bytes)) throw new Failure(`${path} is not UTF-8 text.`, 'Fix or delete it.')
  const text = bytes.toString('utf8')
  const config = parse(text, path)
  const wanted = { embed_tokens_dtype: 'float16', embed_tokens_shape: shape }
  const wrong = Object.entries(wanted).filter(
    ([key, value]) => JSON.stringify(config[key]) !== JSON.stringify(value),
  )
  if (wrong.length === 0) return { state: 'right', changes: [] }
  const changed = wrong.reduce((before, [key, value]) => setMember(before, key, value), text)
  return { state: 'written', changes: [{ path, content: [Buffer.from(changed)] }] }
}

function parse(text: string, path: string): JsonObject {
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch (error) {
    throw new Failure(`${path} is not valid JSON: ${(error as Error).message}.`, 'Fix or delete it.')
  }
  if (isJsonObject(config)) return config
  throw new Failure(`${path} is not a JSON object.`, 'Fix or delete it.')
}
