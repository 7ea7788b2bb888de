// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import * as v from 'valibot'
import type { JsonObject } from '../../eval/runtime/json-value.ts'
import { record, section, text, truth, whole } from '../../eval/runtime/schema.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { makeTokenizer, SPECIAL_TOKENS, TIMESTAMP, tokenizerSchema } from '../../eval/runtime/tokenizer.ts'
import { checked, wrong } from '../shared/checked.ts'
import { Failure } from '../shared/failure.ts'
import type { CheckpointConfig } from './checkpoint-config.ts'
import { fileOf, readCheckpointJson } from './checkpoint-files.ts'

const HINT = 'Use the tokenizer files of the checkpoint.'

/** config.json's names of tokens, and the tokens. */
const NAMED: ReadonlyMap<string, string> = new Map([
  ['audio_token_id', SPECIAL_TOKENS.audioPad],
  ['audio_start_token_id', SPECIAL_TOKENS.audioStart],
  ['audio_end_token_id', SPECIAL_TOKENS.audioEnd],
  ['timestamp_token_id', TIMESTAMP],
])

type Known = ReadonlyMap<string, number>

/**
 * Check the tokenizer of a checkpoint: its files can be read, its ids lie in the vocabulary, the tokens of a prompt are
 * there and distinct, and config.json means the same ones.
 * @throws Failure naming what is wrong, its value and what is wanted
 */
export async function checkTokenizer(folder: string, config: CheckpointConfig): Promise<void> {
  const tokenizerConfig = await readCheckpointJson(folder, 'tokenizer_config.json')
  if (tokenizerConfig === undefined)
    throw new Failure(`${folder} holds no tokenizer_config.json.`, 'Download the checkpoint again.')
  const most = config.text_config.vocab_size - 1
  const known =
    (await fromTokenizer(folder, most, tokenizerConfig)) ??
    (await fromVocabulary(folder, most, tokenizerConfig))
  checkSpecial(folder, known)
  for (const [key, found] of Object.entries(config.tokenIds)) {
    const token = NAMED.get(key.slice(key.lastIndexOf('.') + 1)) ?? ''
    const id = known.get(token)
    if (found === id) continue
    if (id === undefined) throw lacking(folder, [token])
    const wanted = `${id}, the tokenizer's id of ${token}`
    throw wrong({
      file: 'config.json',
      key,
      found,
      wanted,
      hint: 'Use config.json and tokenizer of one checkpoint.',
    })
  }
}

function checkSpecial(folder: string, known: Known): void {
  const missing = Object.values(SPECIAL_TOKENS).filter((token) => !known.has(token))
  if (missing.length > 0) throw lacking(folder, missing)
  const owners = new Map<number | undefined, string>()
  for (const token of Object.values(SPECIAL_TOKENS)) {
    const id = known.get(token)
    const other = owners.get(id)
    if (other !== undefined)
      throw new Failure(`The tokenizer in ${folder} gives ${other} and ${token} the same id, ${id}.`, HINT)
    owners.set(id, token)
  }
}

function lacking(folder: string, tokens: readonly string[]): Failure {
  return new Failure(
    `The tokenizer in ${folder} lacks ${tokens.join(', ')}: it is not a Qwen3-ASR tokenizer.`,
    HINT,
  )
}

async function fromTokenizer(folder: string, most: number, config: JsonObject): Promise<Known | undefined> {
  const file = 'tokenizer.json'
  const tokenizer = await readCheckpointJson(folder, file)
  if (tokenizer === undefined) return undefined
  const { added_tokens: added, model } = checked(tokenizerSchema(whole(0, most), section({})), tokenizer, {
    file,
    hint: HINT,
  })
  const vocabulary = idsOf(model.vocab, most, `${file}: model.vocab`)
  const known = new Map([...vocabulary, ...(added ?? []).map(({ id, content }) => [content, id] as const)])
  checkSpecial(folder, known)
  refuseUnusable(folder, tokenizer, config)
  return known
}

/** Refuse what the schema does not cover: the library that reads releases loads it. */
function refuseUnusable(folder: string, tokenizer: JsonObject, config: JsonObject): void {
  try {
    makeTokenizer(tokenizer, config)
  } catch (error) {
    if (!(error instanceof SpeechError)) throw error
    throw new Failure(`${join(folder, 'tokenizer.json')} cannot be used. ${error.message}`, HINT)
  }
}

async function fromVocabulary(folder: string, most: number, config: JsonObject): Promise<Known> {
  const vocabulary = await readCheckpointJson(folder, 'vocab.json')
  if (vocabulary === undefined) {
    throw new Failure(
      `${folder} holds neither tokenizer.json nor vocab.json.`,
      'Download the checkpoint again.',
    )
  }
  if ((await fileOf(folder, 'merges.txt')) === undefined)
    throw new Failure(`${folder} holds vocab.json, but no merges.txt.`, 'Download the checkpoint again.')
  const file = 'tokenizer_config.json'
  const { added_tokens_decoder: added } = checked(
    section({
      added_tokens_decoder: v.optional(record(section({ content: text, special: v.optional(truth) }))),
    }),
    config,
    { file, hint: HINT },
  )
  const entries = Object.entries(added ?? {}).map(([id, { content }]) => [content, Number(id)] as const)
  return new Map([
    ...idsOf(vocabulary, most, 'vocab.json'),
    ...idsOf(Object.fromEntries(entries), most, `${file}: added_tokens_decoder`),
  ])
}

/** Hundreds of thousands, so they are looked at by hand. */
function idsOf(vocabulary: JsonObject, most: number, where: string): [string, number][] {
  return Object.entries(vocabulary).map(([token, id]) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id <= most) return [token, id]
    const [file = '', key] = where.split(': ')
    const name = JSON.stringify(token)
    const wanted = `a whole number from 0 to ${most}, below vocab_size`
    throw wrong({ file, key: key ? `${key}[${name}]` : name, found: id, wanted, hint: HINT })
  })
}
