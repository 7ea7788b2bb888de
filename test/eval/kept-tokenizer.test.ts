// SPDX-License-Identifier: Apache-2.0

import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../eval/random.ts'
import { openTokenizer } from '../../eval/runtime/kept-tokenizer.ts'
import { LANGUAGES } from '../../eval/runtime/languages.ts'
import { buildPrompt, usualPromptTexts } from '../../eval/runtime/prompt.ts'
import { readTokenizer, SPECIAL_TOKENS, type Tokenizer } from '../../eval/runtime/tokenizer.ts'
import { injectFault } from '../helpers/faults.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { publishedTokenizerJson, type TokenizerJson } from '../helpers/published-tokenizer.ts'

/** The first tokens alone, so that it is made quickly. */
const FEW = 5000

async function release(
  change: (json: TokenizerJson) => void = () => undefined,
  config: object = {},
  tokens = FEW,
): Promise<string> {
  const json = await publishedTokenizerJson()
  const { vocab } = json.model
  json.model.vocab = Object.fromEntries(Object.entries(vocab).filter(([, id]) => id < tokens))
  json.model.merges = json.model.merges.slice(0, tokens - 256)
  const first = Math.min(...json.added_tokens.map(({ id }) => id))
  const end = Object.keys(json.model.vocab).length
  for (const token of json.added_tokens) token.id += end - first // behind the others, as they were
  change(json)
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(json) + ' '.repeat(1 << 20)) // not a small file
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
  return folder
}

async function opened(folder: string, cache: string): Promise<Tokenizer> {
  return openTokenizer(folder, { folder: cache, smallest: 0 }, usualPromptTexts())
}

async function timed<T>(run: () => Promise<T>): Promise<[T, number]> {
  const started = performance.now()
  return [await run(), performance.now() - started]
}

const newCache = async () => join(await temporaryFolder(), 'made', 'here')

/** What a whole tokenizer answers, in the places where the kept one could differ. */
function expectSame(kept: Tokenizer, whole: Tokenizer): void {
  for (const language of [undefined, ...Object.values(LANGUAGES)]) {
    const options = language === undefined ? {} : { language }
    expect(buildPrompt(kept, 5, options)).toEqual(buildPrompt(whole, 5, options))
  }
  for (const token of Object.values(SPECIAL_TOKENS)) expect(kept.idOf(token)).toBe(whole.idOf(token))
  const random = seededRandom(7)
  for (let i = 0; i < 300; i++) {
    const ids = Array.from({ length: 1 + Math.floor(random() * 40) }, () =>
      Math.floor(random() * 1.001 * whole.idOf(SPECIAL_TOKENS.asrText)),
    )
    expect({ ids, isSame: kept.decode(ids) === whole.decode(ids) }).toEqual({ ids, isSame: true })
  }
  for (const text of [
    'Grüße, it is n\'t 学习 "so" !',
    'language German<asr_text>Ja . Nein ?<|im_end|>',
    '👩‍🚀 e\u0301',
  ]) {
    const ids = whole.encode(text)
    expect(kept.decode(ids)).toBe(whole.decode(ids))
    for (let end = 1; end < ids.length; end++)
      expect(kept.decode(ids.slice(0, end))).toBe(whole.decode(ids.slice(0, end)))
  }
  expect([kept.encode(''), kept.decode([])]).toEqual([[], ''])
}

describe('a tokenizer that is kept', () => {
  it.each([{}, { clean_up_tokenization_spaces: false }])(
    'answers as the one that is made of the files: %j',
    async (config) => {
      const [folder, cache] = [await release(undefined, config, 200_000), await newCache()]
      const [whole, seconds] = await timed(() => readTokenizer(folder))
      expectSame(await opened(folder, cache), whole)
      expect(await readdir(cache)).toHaveLength(1)
      const [kept, shorter] = await timed(() => opened(folder, cache))
      expect(shorter).toBeLessThan(seconds / 3)
      expectSame(kept, whole)
      expect(await readdir(cache)).toHaveLength(1)
    },
  )

  it('encodes a text that is not kept with the whole tokenizer, and refuses one that has changed meanwhile', async () => {
    const [folder, cache] = [await release(), await newCache()]
    await opened(folder, cache)
    const [kept, other] = [await opened(folder, cache), await opened(folder, cache)]
    const whole = await readTokenizer(folder)
    const context = 'Kaposvár, Nyíregyháza'
    expect(buildPrompt(kept, 2, { context })).toEqual(buildPrompt(whole, 2, { context }))
    expect(kept.idOf('Ġthe')).toBe(whole.idOf('Ġthe'))
    expect(() => kept.idOf('<no such token>')).toThrow('The tokenizer has no token <no such token>.')
    await writeFile(join(folder, 'tokenizer_config.json'), '{"do_lowercase_and_remove_accent": true}')
    expect(() => other.encode(context)).toThrow(/tokenizer.json has changed since it was read\./)
  })

  it('has an entry for each content, and makes one again that is damaged', async () => {
    const [folder, cache] = [await release(), await newCache()]
    await opened(folder, cache)
    const [name = ''] = await readdir(cache)
    const whole = await readTokenizer(folder)
    for (const damage of [
      () => truncate(join(cache, name, 'spellings.bin'), 5000),
      () => writeFile(join(cache, name, 'index.json'), '{"ids": 12'),
      async () => {
        const index = join(cache, name, 'index.json')
        const entry = JSON.parse(await readFile(index, 'utf8'))
        await writeFile(index, JSON.stringify({ ...entry, tokenizer: {} }))
      },
      () => writeFile(join(cache, name, 'index.json'), '{"ids": 3, "bytes": 16, "added": [], "texts": {}}'),
    ]) {
      await damage()
      expectSame(await opened(folder, cache), whole)
      expectSame(await opened(folder, cache), whole)
    }
    const other = await release((json) =>
      json.added_tokens.push({ ...json.added_tokens[0], id: FEW + 62, content: '<new>' } as never),
    )
    expect((await opened(other, cache)).idOf('<new>')).toBe(FEW + 62)
    expect((await opened(other, cache)).idOf('<new>')).toBe(FEW + 62)
    expect(await readdir(cache)).toHaveLength(2)
  })

  it.each<[string, (json: TokenizerJson) => void, object]>([
    ['ordinary tokens are special', () => undefined, { additional_special_tokens: ['Ġthe'] }],
    [
      'an added token has the name of an ordinary one',
      (json) => json.added_tokens.push({ ...json.added_tokens[0], id: FEW + 62, content: 'the' } as never),
      {},
    ],
    ['there is a token for what is not known', (json) => Object.assign(json.model, { unk_token: '!' }), {}],
    ['ids are far apart', (json) => Object.assign(json.model.vocab, { Ġfar: 900_000_000 }), {}],
  ])('is not kept where %s', async (_, change, config) => {
    const [folder, cache] = [await release(change, config), await newCache()]
    const found = await opened(folder, cache)
    const whole = await readTokenizer(folder)
    const ids = [...whole.encode('hello there, the whole'), FEW + 62, 4]
    expect(found.decode(ids)).toBe(whole.decode(ids))
    expect(await readdir(cache).catch(() => [])).toEqual([])
  })

  it('is done without when the disk is full, the folder cannot be made, or the file is small', async () => {
    const [folder, cache] = [await release(), await newCache()]
    let at = 0
    for (let isFull = true; isFull; ) {
      const end = injectFault({ kind: 'full', at: ++at })
      const tokenizer = await opened(folder, cache).finally(end)
      expect(tokenizer.idOf(SPECIAL_TOKENS.asrText)).toBe(FEW + 61)
      isFull = (await readdir(cache).catch(() => [])).length === 0
    }
    expect(at).toBeGreaterThan(3)
    const parent = await temporaryFolder()
    await writeFile(join(parent, 'file'), '')
    await mkdir(join(parent, 'empty'))
    expectSame(await opened(folder, join(parent, 'file', 'cache')), await readTokenizer(folder))
    expectSame(await openTokenizer(folder, undefined, []), await readTokenizer(folder))
    expect(await readdir(join(parent, 'empty'))).toEqual([])
  })
})
