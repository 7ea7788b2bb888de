// SPDX-License-Identifier: Apache-2.0

import { Tokenizer as HfTokenizer } from '@huggingface/tokenizers'
import * as v from 'valibot'
import { tokenId } from './config-schema.ts'
import { readJson } from './json-file.ts'
import { isJsonObject, type JsonObject, shown } from './json-value.ts'
import { join } from './platform/file-paths.ts'
import { quietly } from './quietly.ts'
import { checkedAs, list, section, text, truth } from './schema.ts'
import { SpeechError } from './speech-error.ts'

/** Token strings that every Qwen3-ASR tokenizer must have. */
export const SPECIAL_TOKENS = {
  endOfText: '<|endoftext|>',
  imStart: '<|im_start|>',
  imEnd: '<|im_end|>',
  audioStart: '<|audio_start|>',
  audioEnd: '<|audio_end|>',
  audioPad: '<|audio_pad|>',
  asrText: '<asr_text>',
} as const

/** What the prompt of a forced aligner has for each time that is asked for; speech recognition does without it. */
export const TIMESTAMP = '<timestamp>'

/** Text to token ids and back. */
export interface Tokenizer {
  encode(text: string): number[]
  /** Text of the ids, special tokens left out (`<asr_text>` is not one of them). */
  decode(ids: readonly number[]): string
  idOf(token: string): number
}

const HINT = 'Use the files of one checkpoint.'
/** Names of a tokenizer's files in a release. */
export const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json'] as const
const [FILE, CONFIG_FILE] = TOKENIZER_FILES

const PART = v.nullish(section({ type: text }))

/**
 * What is relied on in tokenizer.json.
 * @param id of added tokens
 * @param vocab hundreds of thousands of entries, so they are looked at by a loop
 */
export function tokenizerSchema<Vocabulary extends v.GenericSchema>(
  id: v.GenericSchema<number>,
  vocab: Vocabulary,
) {
  return section({
    added_tokens: v.nullish(list(section({ id, content: text, special: v.optional(truth) }))),
    model: section({
      type: v.optional(text),
      vocab,
      merges: v.optional(v.custom<unknown[]>(isMerges, 'an array of pairs of texts')),
    }),
    ...{ normalizer: PART, pre_tokenizer: PART, post_processor: PART, decoder: PART },
    ...{ truncation: v.nullish(section({})), padding: v.nullish(section({})) },
  })
}

const IDS = 'an object whose values are whole numbers'
const TOKENIZER = tokenizerSchema(tokenId, v.custom<JsonObject>(isVocabulary, IDS))
/** What changes texts. */
const SETTINGS = section({
  clean_up_tokenization_spaces: v.nullish(truth),
  do_lowercase_and_remove_accent: v.nullish(truth),
  remove_space: v.nullish(truth),
})

function isVocabulary(value: unknown): boolean {
  if (!isJsonObject(value)) return false
  for (const token in value) if (!Number.isInteger(value[token])) return false
  return true
}

/** Pairs, or in older files two texts with a space between. */
function isMerges(value: unknown): boolean {
  const isText = (item: unknown) => typeof item === 'string'
  const isPair = (item: unknown) => Array.isArray(item) && item.length === 2 && item.every(isText)
  return Array.isArray(value) && value.every((item) => isText(item) || isPair(item))
}

/** Read the tokenizer of a release. @throws SpeechError as {@link makeTokenizer}, and when a file is missing */
export async function readTokenizer(folder: string): Promise<Tokenizer> {
  return makeTokenizer(await readJson(join(folder, FILE)), await readJson(join(folder, CONFIG_FILE)))
}

/**
 * A tokenizer from the JSON files of a release.
 * @param tokenizerJson parsed tokenizer.json
 * @param tokenizerConfig parsed tokenizer_config.json
 * @throws SpeechError naming a key that is wrong, when they are malformed, or a token that the prompt needs is missing
 */
export function makeTokenizer(tokenizerJson: object, tokenizerConfig: object): Tokenizer {
  const fail = (message: string) => new SpeechError(message, HINT)
  checkedAs(TOKENIZER, tokenizerJson, { file: FILE }, fail)
  checkedAs(SETTINGS, tokenizerConfig, { file: CONFIG_FILE }, fail)
  const inner = load(tokenizerJson, tokenizerConfig)
  const idOf = (token: string): number => {
    const id = inner.token_to_id(token)
    if (id === undefined) throw fail(`The tokenizer has no token ${token}.`)
    return id
  }
  for (const token of Object.values(SPECIAL_TOKENS)) idOf(token)
  return {
    idOf,
    encode: (text) => (text === '' ? [] : inner.encode(text, { add_special_tokens: false }).ids),
    decode: (ids) => (ids.length === 0 ? '' : inner.decode([...ids], { skip_special_tokens: true })),
  }
}

const SENTENCE = 'A test.'

/** The library's own messages say what happened inside of it; some of its errors come with the first text only. */
function load(tokenizerJson: object, tokenizerConfig: object): HfTokenizer {
  try {
    return quietly(() => {
      const tokenizer = new HfTokenizer(tokenizerJson, tokenizerConfig)
      const again = tokenizer.decode(tokenizer.encode(SENTENCE, { add_special_tokens: false }).ids)
      if (again === SENTENCE) return tokenizer
      throw new SpeechError(`The tokenizer turns ${shown(SENTENCE)} into ${shown(again)}.`, HINT)
    })
  } catch (error) {
    if (error instanceof SpeechError) throw error
    throw new SpeechError(`${FILE} or ${CONFIG_FILE} is malformed: no tokenizer can be made of them.`, HINT)
  }
}
