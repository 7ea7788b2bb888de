// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { damaged, parseJsonObject, readJson, readJsonBytes } from './json-file.ts'
import { isJsonObject, type JsonObject } from './json-value.ts'
import { addEntry, INDEX, type LoadCache, markUsed } from './load-cache.ts'
import { openFile } from './platform/random-access.ts'
import { count, dictionary, list, section, shape } from './schema.ts'
import { SpeechError } from './speech-error.ts'
import { makeTokenizer, TOKENIZER_FILES, type Tokenizer } from './tokenizer.ts'

/*
 * A tokenizer that opens in milliseconds: the library takes a second and a hundred megabytes for the 150,000 tokens of the published models. What
 * recognition needs is kept in the cache: each token's spelling in characters, which the library decodes as tokens of a small tokenizer, and the
 * ids of the texts that every prompt has. Any other text is encoded by the whole tokenizer, which is made for it.
 */

/** Changes with what is in an entry. */
const FORMAT = 1
const DATA = 'spellings.bin'
const PREFIX = 'tokenizer-'
/** Of tokenizer.json, in bytes: a smaller one is made in milliseconds. */
const SMALLEST = 1 << 20
/** Of tokens of the small tokenizer: they are stored in 16 bits. */
const MOST = 1 << 16
/** Tokens that an entry is proved by. */
const PROVED = 4000

const ENTRY = shape({
  /** ids of the whole tokenizer; the data file holds where the spelling of each begins, u32 [ids + 1], and the spellings, u16 */
  ids: count,
  /** of the data file */
  bytes: count,
  /** ids of added tokens */
  added: dictionary(count),
  /** ids by text */
  texts: dictionary(list(count)),
  /** the small tokenizer: its tokens are characters, and the added ones */
  tokenizer: section({}),
  config: section({}),
})
type Entry = v.InferOutput<typeof ENTRY>

/** A tokenizer's files, in the order of {@link TOKENIZER_FILES}. */
type Files = readonly [tokenizer: Uint8Array, config: Uint8Array]
type Paths = readonly [tokenizer: string, config: string]

/**
 * Open the tokenizer of a release. The first time it is made of its files, and kept in the cache where it is large.
 * @param texts that will be encoded each time
 * @throws SpeechError as `readTokenizer`
 */
export async function openTokenizer(
  folder: string,
  cache: LoadCache | undefined,
  texts: readonly string[],
): Promise<Tokenizer> {
  const paths = TOKENIZER_FILES.map((file) => join(folder, file)) as [string, string]
  const files: Files = [await readJsonBytes(paths[0]), await readJsonBytes(paths[1])]
  if (cache === undefined || files[0].length < SMALLEST) return wholeTokenizer(paths, files).tokenizer
  const key = keyOf(files, texts)
  const whole = () => {
    const again: Files = [readAgain(paths[0]), readAgain(paths[1])]
    if (keyOf(again, texts) === key) return wholeTokenizer(paths, again).tokenizer
    throw new SpeechError(`${paths[0]} has changed since it was read.`, 'Load the release again.')
  }
  const found = await readEntry(join(cache.folder, key), whole)
  if (found) return found
  const made = wholeTokenizer(paths, files)
  await keep(cache.folder, key, { ...made, texts })
  return made.tokenizer
}

function wholeTokenizer(paths: Paths, files: Files): Omit<Made, 'texts'> {
  const json = parseJsonObject(files[0], paths[0], damaged)
  const config = parseJsonObject(files[1], paths[1], damaged)
  return { json, config, tokenizer: makeTokenizer(json, config) }
}

/** The name of an entry: of what it is made of. */
function keyOf(files: Files, texts: readonly string[]): string {
  const hash = createHash('blake2b512').update(JSON.stringify([FORMAT, texts]))
  for (const file of files) hash.update(`${file.length} `).update(file)
  return PREFIX + hash.digest('hex').slice(0, 32)
}

function readAgain(path: string): Uint8Array {
  try {
    const file = openFile(path)
    try {
      const bytes = new Uint8Array(file.size)
      return bytes.subarray(0, file.read(bytes, 0))
    } finally {
      file.close()
    }
  } catch (error) {
    throw new SpeechError(`${path} cannot be read: ${(error as Error).message}`)
  }
}

async function readEntry(folder: string, whole: () => Tokenizer): Promise<Tokenizer | undefined> {
  try {
    const entry = v.parse(ENTRY, await readJson(join(folder, INDEX)))
    const data = await readFile(join(folder, DATA))
    if (data.length !== entry.bytes) return undefined
    const tokenizer = keptTokenizer(entry, data, whole)
    await markUsed(folder)
    return tokenizer
  } catch {
    return undefined // it is made again
  }
}

function keptTokenizer(
  { ids, added, texts, ...small }: Entry,
  data: Uint8Array,
  whole: () => Tokenizer,
): Tokenizer {
  const inner = makeTokenizer(small.tokenizer, small.config)
  const starts = new Uint32Array(data.buffer, data.byteOffset, ids + 1)
  const spellings = new Uint16Array(data.buffer, data.byteOffset + starts.byteLength)
  let all: Tokenizer | undefined
  const full = () => {
    all ??= whole()
    return all
  }
  return {
    idOf: (token) => (Object.hasOwn(added, token) ? (added[token] as number) : full().idOf(token)),
    encode: (text) => (Object.hasOwn(texts, text) ? [...(texts[text] as number[])] : full().encode(text)),
    // an id above all has no text
    decode: (given) =>
      inner.decode(
        given.flatMap((id) => (id < ids ? [...spellings.subarray(starts[id], starts[id + 1])] : [])),
      ),
  }
}

/** What an entry is made of. */
interface Made {
  readonly json: JsonObject
  readonly config: JsonObject
  readonly tokenizer: Tokenizer
  readonly texts: readonly string[]
}

/** Add an entry, where characters can stand for tokens and there is room. */
async function keep(cache: string, key: string, made: Made): Promise<void> {
  const entry = entryOf(made)
  if (entry === undefined) return
  await addEntry(cache, key, async (folder) => {
    await writeFile(join(folder, DATA), entry.data, { flush: true })
    await writeFile(join(folder, INDEX), JSON.stringify(entry.entry), { flush: true })
  })
}

function entryOf({ json, config, tokenizer, texts }: Made): { entry: Entry; data: Uint8Array } | undefined {
  const { decoder, model } = json
  if (!(isJsonObject(decoder) && isJsonObject(model) && isByCharacter(decoder, model))) return undefined
  const vocabulary = Object.entries(model['vocab'] as Record<string, number>)
  const added = (json['added_tokens'] ?? []) as readonly { readonly id: number; readonly content: string }[]
  if (!isPlain([...vocabulary.map(([, id]) => id), ...added.map(({ id }) => id)])) return undefined
  const names = new Map<unknown, number>(added.map(({ content, id }) => [content, id]))
  const special = config['additional_special_tokens']
  for (const name of Array.isArray(special) ? special : []) if (!names.has(name)) names.set(name, -1)
  if (vocabulary.some(([token, id]) => (names.get(token) ?? id) !== id)) return undefined // left out of texts, or an added one
  const spelled: (readonly number[] | undefined)[] = []
  const characters = new Map<string, number>()
  for (const [token, id] of vocabulary)
    spelled[id] = Array.from(token, (character) => numberOf(characters, character))
  for (const [i, { id }] of added.entries()) spelled[id] = [characters.size + i]
  if (characters.size + added.length > MOST) return undefined
  const data = dataOf(spelled)
  const entry: Entry = {
    ...{ ids: spelled.length, bytes: data.length },
    added: Object.fromEntries(added.map(({ id, content }) => [content, id])),
    texts: Object.fromEntries(texts.map((text) => [text, tokenizer.encode(text)])),
    tokenizer: {
      ...json,
      added_tokens: added.map((token, i) => ({ ...token, id: characters.size + i })),
      model: { ...model, vocab: Object.fromEntries(characters), merges: [] },
    },
    config,
  }
  return isRight(entry, data, tokenizer) ? { entry, data } : undefined
}

/** Whether the text of tokens is that of their characters. */
function isByCharacter(decoder: JsonObject, model: JsonObject): boolean {
  const types = [decoder['type'], model['type']].join()
  return types === 'ByteLevel,BPE' && !model['end_of_word_suffix'] && (model['unk_token'] ?? null) === null
}

/** Whether ids have few gaps: each takes room. */
function isPlain(ids: readonly number[]): boolean {
  return ids.every((id) => id >= 0 && id < 2 * ids.length)
}

function numberOf(characters: Map<string, number>, character: string): number {
  const known = characters.get(character)
  if (known !== undefined) return known
  characters.set(character, characters.size)
  return characters.size - 1
}

/** Ids without a token have no spelling. */
function dataOf(spelled: readonly (readonly number[] | undefined)[]): Uint8Array {
  const starts = new Uint32Array(spelled.length + 1)
  for (let id = 0; id < spelled.length; id++)
    starts[id + 1] = (starts[id] as number) + (spelled[id]?.length ?? 0)
  const spellings = new Uint16Array(starts[spelled.length] as number)
  for (const [id, spelling] of spelled.entries()) if (spelling) spellings.set(spelling, starts[id])
  return Buffer.concat([Buffer.from(starts.buffer), Buffer.from(spellings.buffer)])
}

/** Whether tokens from all parts of the vocabulary, the added ones, and an id above all are decoded as by the whole tokenizer. */
function isRight(entry: Entry, data: Uint8Array, tokenizer: Tokenizer): boolean {
  const spread = Array.from({ length: PROVED }, (_, i) => Math.floor((i * entry.ids) / PROVED))
  const ids = [...spread, ...Object.values(entry.added), entry.ids]
  try {
    return keptTokenizer(entry, data, () => tokenizer).decode(ids) === tokenizer.decode(ids)
  } catch {
    return false // the library cannot do without the rest
  }
}
