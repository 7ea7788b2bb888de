// SPDX-License-Identifier: Apache-2.0

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { configProblems, READER_CONFIG } from '../../eval/runtime/config-schema.ts'
import { JSON_FILES, quantizedTable } from '../../eval/runtime/graphs.ts'
import { damaged, readJsonFile } from '../../eval/runtime/json-file.ts'
import { isJsonObject, type JsonObject } from '../../eval/runtime/json-value.ts'
import { openQuantizedEmbeddings } from '../../eval/runtime/quantized-embeddings.ts'
import { problemsOf, wrongValue } from '../../eval/runtime/schema.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { makeTokenizer, TIMESTAMP } from '../../eval/runtime/tokenizer.ts'
import { verifyFolder } from '../../graph-tools/verify.ts'
import { EXTRACTOR } from '../checkpoint/checkpoint-processor.ts'
import { alignerProblems } from './aligner-problems.ts'
import { ENDS, TOKEN_IDS } from './token-ids.ts'

/**
 * What about a folder breaks the release contract, without running it: graphs, data files, all four JSON files, and
 * whether these agree with each other.
 * @param only names of the release's files, where others lie beside them
 */
export async function releaseProblems(folder: string, only?: readonly string[]): Promise<string[]> {
  const { files, problems } = await readJsonFiles(folder)
  const [config, extractor, tokenizer, tokenizerConfig] = JSON_FILES.map((name) => files.get(name))
  if (config) problems.push(...configProblems(config))
  if (extractor) problems.push(...problemsOf(EXTRACTOR, extractor, { file: 'preprocessor_config.json' }))
  if (config && tokenizer && tokenizerConfig)
    problems.push(...tokenProblems(config, tokenizer, tokenizerConfig))
  if (config) problems.push(...(await tableProblems(folder, config, only)))
  if (config) problems.push(...(await alignerProblems(folder, config, only)))
  return [...new Set([...problems, ...(await verifyFolder(folder, only)).problems])]
}

/** The embedding tables that config.json names, and those that are there, must be readable. */
async function tableProblems(
  folder: string,
  config: JsonObject,
  only?: readonly string[],
): Promise<string[]> {
  const read = v.safeParse(READER_CONFIG, config)
  if (!read.success) return []
  const { embed_tokens_shape: shape } = read.output
  const problems: string[] = []
  for (const name of only ?? (await readdir(folder))) {
    const variant = /^embed_tokens\.([\w-]+)\.json$/.exec(name)?.[1]
    if (variant === undefined || name !== quantizedTable(variant)) continue
    try {
      const table = await openQuantizedEmbeddings(folder, name, shape)
      table.close()
    } catch (error) {
      if (!(error instanceof SpeechError)) throw error
      problems.push(error.message)
    }
  }
  return problems
}

async function readJsonFiles(
  folder: string,
): Promise<{ files: Map<string, JsonObject>; problems: string[] }> {
  const files = new Map<string, JsonObject>()
  const problems: string[] = []
  for (const name of JSON_FILES) {
    try {
      const value = await readJsonFile(join(folder, name), damaged)
      if (value) files.set(name, value)
      else problems.push(`${name} is missing: every archive holds it.`)
    } catch (error) {
      if (!(error instanceof SpeechError)) throw error
      problems.push(error.message)
    }
  }
  return { files, problems }
}

function tokenProblems(config: JsonObject, tokenizerJson: JsonObject, tokenizerConfig: JsonObject): string[] {
  const ids = isJsonObject(config['special_tokens']) ? config['special_tokens'] : {}
  const { timestamp_token_id: slot } = isJsonObject(config['aligner']) ? config['aligner'] : {}
  const wrong = (key: string, found: unknown, wanted: string) =>
    wrongValue({ file: 'config.json', key, found, wanted })
  const told = [
    ...Object.entries(TOKEN_IDS).map(([key, token]) => [`special_tokens.${key}`, ids[key], token] as const),
    ['aligner.timestamp_token_id', slot, TIMESTAMP] as const,
  ]
  try {
    const { idOf } = makeTokenizer(tokenizerJson, tokenizerConfig)
    const named = told.flatMap(([key, id, token]) =>
      typeof id !== 'number' || id === idOf(token)
        ? []
        : [wrong(key, id, `${idOf(token)}, the id of ${token} in tokenizer.json`)],
    )
    const found = ids['eos_token_ids']
    const missing = Array.isArray(found) ? ENDS.filter((token) => !found.includes(idOf(token))) : []
    return [
      ...named,
      ...missing.map((token) =>
        wrong('special_tokens.eos_token_ids', found, `${idOf(token)} in it, the id of ${token}`),
      ),
    ]
  } catch (error) {
    if (!(error instanceof SpeechError)) throw error
    return [error.message]
  }
}
