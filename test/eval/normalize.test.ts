// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { isBlank } from '../../eval/normalize/comparable.ts'
import { NORMALIZER_NAMES, normalizedWords } from '../../eval/normalize/normalizers.ts'
import { SPELLINGS } from '../../eval/normalize/spelling.ts'
import { whisperBasic, whisperEnglish } from '../../eval/normalize/whisper.ts'
import { seededRandom } from '../helpers/random.ts'
import { askReferee } from '../helpers/referee.ts'

/** Everything the number reader knows, and what stands between numbers. */
const NUMBER_WORDS = (
  'o oh zero zeroth one ones two three four five six seven eight nine ten eleven twelve thirteen nineteen first second third ' +
  'fifth sixth twelfth nineteenth sixes twelves twenty thirty forty ninety twenties thirties twentieth ninetieth hundred ' +
  'thousand million billion trillion decillion hundreds thousands hundredth millionth minus negative plus positive pound ' +
  'pounds euro dollars cent cents per percent and double triple point 0 1 2 7 10 12 100 2024 3.5 0.07 $5 -3 +4 £2.50 ¢7 1960s 2nd 3,000 ' +
  '5% and a half apples the $ % . 1.2.3 7th 100k a1b2'
).split(' ')

const SPOKEN = (
  "won't can't let's ain't y'all wanna gonna i'ma ma'am cause mr mrs st dr prof capt lt col jr he'd been she's gone i'd done " +
  "it's got couldn't they're who'd we'll 'tis they've i'm um uh mhm [noise] (laughs) <unk> o'clock colour organised théâtre " +
  'naïve œuvre straße Øre ½ ﬁne x² centre travelled aeroplane MR. Mrs. Dr. U.S.A. e.g. 3.30 p.m. what? no! — “quoted” ' +
  '‘single’ …  a-b and/or 50% $20 £3.99 €5 # @home 1,234,567 Straße İstanbul ΣΑΣ Å नमस्ते 你好 مرحبا ١٢ ok… \t'
).split(' ')

const PUBLISHED: readonly (readonly [string, string])[] = [
  ['two', '2'],
  ['three hundred and sixty five thousand five hundred and seven', '365507'],
  ['twenty twenty twenty one', '20202021'],
]

function sentences(words: readonly string[], count: number, seed: number): string[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () =>
    Array.from({ length: 1 + random(12) }, () => words[random(words.length)]).join(' '),
  )
}

async function spokenReferences(): Promise<string[]> {
  const lines = (await readFile('test/fixtures/speech/manifest.jsonl', 'utf8')).trim().split('\n')
  return lines.map((line) => (JSON.parse(line) as { text: string }).text)
}

describe('normalizers', () => {
  it('whisper-english is what the Python package makes of 1,500 sentences, character for character', async () => {
    const texts = [
      ...sentences(NUMBER_WORDS, 800, 1),
      ...sentences(SPOKEN, 300, 2),
      ...sentences([...SPOKEN, ...NUMBER_WORDS], 400, 3),
      ...PUBLISHED.map(([text]) => text),
      ...(await spokenReferences()),
    ]
    const wanted = await askReferee<string[]>('normalize', 'whisper-english', texts)
    const wrong = texts.flatMap((text, i) =>
      whisperEnglish(text) === wanted[i] ? [] : [{ text, found: whisperEnglish(text), wanted: wanted[i] }],
    )
    expect(wrong).toEqual([])
    expect(wanted.length).toBeGreaterThan(1500)
  })

  it('whisper-basic is what the Python package makes of 600 sentences', async () => {
    const texts = [...sentences([...SPOKEN, ...NUMBER_WORDS], 600, 4), ...(await spokenReferences())]
    const wanted = await askReferee<string[]>('normalize', 'whisper-basic', texts)
    expect(texts.map(whisperBasic)).toEqual(wanted)
  })

  it('has the published British spellings, all of them', async () => {
    expect(Object.fromEntries(SPELLINGS)).toEqual(await askReferee('spellings'))
  })

  it('basic is that of the older tables', () => {
    const text = 'language English<asr_text>Mr. Smith’s dog—aged 3—didn’t BARK!'
    expect(normalizedWords(text, 'basic')).toEqual(['mr', "smith's", 'dog', 'aged', '3', "didn't", 'bark'])
    expect(normalizedWords('…', 'basic')).toEqual([])
    expect(normalizedWords('Öffne die Tür.', 'basic')).toEqual(['öffne', 'die', 'tür'])
  })

  describe.each(NORMALIZER_NAMES)('%s', (name) => {
    it.each([
      'Schließe die Tür für Émile',
      'über um Öl',
      '안녕하세요 반갑습니다',
      'Việt Nam',
      'が ぎ パ',
      'हिन्दी ज़रूर',
      'Ångström',
    ])('has the same words of %j however it is composed', (text) => {
      const forms = ['NFC', 'NFD'].map((form) => normalizedWords(text.normalize(form), name))
      expect(forms[1]).toEqual(forms[0])
      expect(forms[0]?.length).toBeGreaterThan(0)
    })

    it.each([
      ['zero\u200bwidth space', 'zerowidth space'],
      ['co\u00adoperate well', 'cooperate well'],
      ['\ufeffhello wor\ufeffld', 'hello world'],
      ['می\u200cروم به خانه', 'میروم به خانه'],
      ['ശ്രീ\u200dമാൻ', 'ശ്രീമാൻ'],
      ['\u200ehello\u200f \u2068world\u2069', 'hello world'],
      ['word\u2060joiner', 'wordjoiner'],
    ])('lets no character without width part a word: %j', (text, plain) => {
      expect(normalizedWords(text, name)).toEqual(normalizedWords(plain, name))
    })
  })

  it('differs from the Python package where that keeps what has no width, and only there', async () => {
    const texts = ['zero\u200bwidth', 'co\u00adoperate', 'u\u0308ber Tu\u0308r']
    const published = await askReferee<string[]>('normalize', 'whisper-basic', texts)
    expect(published).toEqual(['zero\u200bwidth', 'co\u00adoperate', 'über tür'])
    expect(texts.map((text) => normalizedWords(text, 'whisper-basic').join(' '))).toEqual([
      'zerowidth',
      'cooperate',
      'über tür',
    ])
  })
})

describe('isBlank', () => {
  it.each(['', '   ', '\t\n', '\u00a0\u3000', '\u200b\ufeff', null, undefined])('is true of %j', (text) => {
    expect(isBlank(text)).toBe(true)
  })

  it.each(['a', '.', '…', '0'])('is false of %j', (text) => {
    expect(isBlank(text)).toBe(false)
  })
})
