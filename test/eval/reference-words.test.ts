// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { readCtm } from '../../eval/dataset/ctm.ts'
import { readSpeechFolder } from '../../eval/dataset/folder-dataset.ts'
import { readTextGrid } from '../../eval/dataset/text-grid.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { folder, freshRoot, open, WAVS } from '../helpers/recordings.ts'

beforeEach(freshRoot)

/** Words in one line each: `one 0-0.25`. */
const short = (words: readonly { text: string; start: number; end: number }[] | undefined) =>
  words?.map(({ text, start, end }) => `${text} ${start}-${end}`)

/** What each utterance of a folder has, by id. */
async function wordsOf(place: string): Promise<Record<string, readonly string[] | undefined>> {
  const { utterances } = await open(place)
  return Object.fromEntries(utterances.map(({ id, words }) => [id, short(words)]))
}

const ONE_TWO = '{"file": "a.wav", "text": "one"}\n{"file": "b.wav", "text": "two"}'

describe('words of a manifest', () => {
  const manifest = (words: unknown) => ({
    'a.wav': '',
    'manifest.jsonl': JSON.stringify({ file: 'a.wav', text: 'One two.', words }),
  })

  it('are read with their times, also under the name that OpenAI has', async () => {
    const words = [
      { text: 'One', start: 0, end: 0.25 },
      { word: ' two.', start: 0.25, end: 0.4, probability: 0.5 },
    ]
    expect(await wordsOf(await folder('data', manifest(words)))).toEqual({
      'a.wav': ['One 0-0.25', 'two. 0.25-0.4'],
    })
  })

  it.each([
    ['a number', 2],
    ['texts alone', ['One', 'two.']],
    ['none', []],
    ['null', null],
    ['a text', 'One two.'],
  ])('a column that holds something else is another column: %s', async (_, words) => {
    expect(await wordsOf(await folder('data', manifest(words)))).toEqual({ 'a.wav': undefined })
  })

  it.each([
    [{ start: 0, end: 1 }, 'word 1 has no text.'],
    [{ text: ' ', start: 0, end: 1 }, 'word 1 has no text.'],
    [{ text: 'a', start: 0 }, 'word 1: "a" is from 0 to undefined, wanted numbers of seconds, 0 or more.'],
    [
      { text: 'a', start: '0', end: 'x' },
      'word 1: "a" is from 0 to x, wanted numbers of seconds, 0 or more.',
    ],
    [
      { text: 'a', start: -0.1, end: 1 },
      'word 1: "a" is from -0.1 to 1, wanted numbers of seconds, 0 or more.',
    ],
    [{ text: 'a', start: 0.5, end: 0.4 }, 'word 1: "a" ends at 0.4 s, before its start at 0.5 s.'],
  ])('are refused by file, line and word: %j', async (word, message) => {
    const place = await folder('data', manifest([word]))
    await expect(open(place)).rejects.toThrow(`${join(place, 'manifest.jsonl')}, line 1, ${message}`)
  })

  it('are refused when one starts before the one ahead of it; those that overlap are not', async () => {
    const words = [
      { text: 'a', start: 0.2, end: 0.5 },
      { text: 'b', start: 0.3, end: 0.4 },
    ]
    expect((await wordsOf(await folder('data', manifest(words))))['a.wav']).toHaveLength(2)
    const place = await folder('bad', manifest([...words, { text: 'c', start: 0.25, end: 0.6 }]))
    await expect(open(place)).rejects.toThrow('line 1, word 3: "c" starts at 0.25 s, before "b" at 0.3 s.')
  })

  it('make another utterance when they change; without any the key is what it was', async () => {
    const keyOf = async (words: unknown) =>
      (await open(await folder('data', manifest(words)))).utterances[0]?.key.split(' ').slice(2)
    const [none, some, others] = [
      await keyOf(undefined),
      await keyOf([{ text: 'a', start: 0, end: 1 }]),
      await keyOf([{ text: 'a', start: 0, end: 2 }]),
    ]
    expect([none?.length, some?.length]).toEqual([1, 2])
    expect(some?.[0]).toBe(none?.[0])
    expect(some?.[1]).not.toBe(others?.[1])
  })

  it('are those of the bundled speech, for every reader of it', async () => {
    const utterances = await readSpeechFolder(BUNDLED_SPEECH)
    expect(short(utterances[0]?.words)?.slice(0, 2)).toEqual(['One 0-0.3202', 'seven 0.3202-0.8663'])
    expect(utterances.flatMap(({ words = [] }) => words)).toHaveLength(458)
  })
})

describe('words of CTM files', () => {
  const CTM = [
    ';; made by hand',
    'a 1 0.1 0.2 ONE 0.98',
    '',
    '  b A 0.00 .1 <eps>',
    'b A 0.1 0.2 two',
    'b A * * <ALT_BEGIN>',
    'b A 0.3 0.1 to',
    'b A * * <ALT>',
    'b A 0.3 0.1 too',
    'b A * * <ALT_END>',
    'b A 0.4 0.1 go NA lex spk1',
  ].join('\r\n')
  const A = ['ONE 0.1-0.3']
  const B = ['two 0.1-0.3', 'to 0.3-0.4', 'go 0.4-0.5']

  it.each<[string, Readonly<Record<string, string>>]>([
    ['by ids, in any CTM file of the folder', { 'manifest.jsonl': ONE_TWO, 'times.ctm': CTM }],
    ['beside texts', { 'a.txt': 'one', 'b.txt': 'two', 'x.CTM': CTM }],
    [
      'of each recording',
      {
        'manifest.csv': 'file,text\na.wav,one\nb.wav,two',
        'a.ctm': CTM,
        'b.ctm': CTM.replaceAll('b A', 'rec-7 A').replace(/^a.*/m, ''),
      },
    ],
  ])('are found %s', async (_, files) => {
    expect(await wordsOf(await folder('data', { ...WAVS, ...files }))).toEqual({ 'a.wav': A, 'b.wav': B })
  })

  it('are found by utterance or recording in a Kaldi directory, whose audio is elsewhere', async () => {
    const audio = await folder('audio', { 'r.wav': '' })
    const files = {
      'wav.scp': `rec ${join(audio, 'r.wav')}`,
      text: 'u1 one two\nu2 three',
      segments: 'u1 rec 0.0 0.25\nu2 rec 0.25 0.5',
    }
    const byUtterance = await folder('one', { ...files, ctm: 'u1 1 0.1 0.1 one\nu2 1 0.05 0.1 three' })
    expect(await wordsOf(byUtterance)).toEqual({ u1: ['one 0.1-0.2'], u2: ['three 0.05-0.15'] })
    const byRecording = await folder('two', {
      ...files,
      'x.ctm': 'r 1 0.01 0.1 one\nr 1 0.1 0.16 two\nr 1 0.24 0.15 three',
    })
    const parts = {
      u1: ['one 0.01-0.11', 'two 0.1-0.26'],
      u2: ['three 0-0.14'], // its middle is in the second part, its start is not
    }
    expect(await wordsOf(byRecording)).toEqual(parts)
    for (const name of ['rec', 'r.wav']) {
      const text = (await readFile(join(byRecording, 'x.ctm'), 'utf8')).replaceAll(/^\S+/gm, name)
      await writeFile(join(byRecording, 'x.ctm'), text)
      expect(await wordsOf(byRecording)).toEqual(parts)
    }
  })

  it('are none where no line has the name, and the manifest goes before them', async () => {
    const place = await folder('data', {
      ...WAVS,
      'manifest.jsonl': `${ONE_TWO.replace('"one"', '"one", "words": [{"text": "one", "start": 0, "end": 0.5}]')}`,
      'x.ctm': 'a 1 0.1 0.2 ONE\nc 1 0.1 0.2 two',
    })
    expect(await wordsOf(place)).toEqual({ 'a.wav': ['one 0-0.5'], 'b.wav': undefined })
  })

  it('are refused when two files have them', async () => {
    const place = await folder('data', {
      ...WAVS,
      'manifest.jsonl': ONE_TWO,
      'x.ctm': CTM,
      'y.ctm': 'b 1 0 1 x',
    })
    await expect(open(place)).rejects.toThrow(
      `${join(place, 'x.ctm')} and ${join(place, 'y.ctm')} both have words of b.`,
    )
  })

  it.each([
    [
      'a 1 0.1 word',
      'line 1 is "a 1 0.1 word", wanted a name, a channel, a start, a duration, a word and perhaps a confidence.',
    ],
    ['a 1 0.1 0.2 two words 0.5', 'line 1 is "a 1 0.1 0.2 two words 0.5", wanted a name,'],
    ['a 1 x 0.2 b', 'line 1 is "a 1 x 0.2 b", wanted a name,'],
    ['a 1 0 NaN b', 'line 1 is "a 1 0 NaN b", wanted a name,'],
    [';;\na 1 1 -0.5 b', 'line 2: "b" ends at 0.5 s, before its start at 1 s.'],
    ['a 1 1 0.5 b\na 1 0.5 0.1 c', 'line 2: "c" starts at 0.5 s, before "b" at 1 s.'],
    ['a A 1 0.5 b\na B 2 0.1 c', 'line 2 has channel B of a, and lines before it have channel A.'],
  ])('are refused by file and line: %j', async (text, message) => {
    const place = await folder('data', { 'x.ctm': text })
    await expect(readCtm(join(place, 'x.ctm'))).rejects.toThrow(`${join(place, 'x.ctm')}, ${message}`)
  })
})

describe('words of TextGrids', () => {
  const intervals = (rows: readonly (readonly [number, number, string])[]) =>
    rows.flatMap(([start, end, text]) => [start, end, `"${text}"`])
  const WORDS = intervals([
    [0, 0.1, ''],
    [0.1, 0.25, 'One'],
    [0.25, 0.3, 'SIL'],
    [0.3, 0.5, 'on the ""top""'],
  ])
  const tier = (name: string, rows = WORDS) => [
    '"IntervalTier"',
    `"${name}"`,
    0,
    0.5,
    rows.length / 3,
    ...rows,
  ]
  const BELL = ['"TextTier"', '"bell"', 0, 0.5, 1, 0.2, '"ding 3"']
  const PHONES = tier('phones', intervals([[0, 0.5, 'W']]))
  const FOUND = ['One 0.1-0.25', 'on the "top" 0.3-0.5']

  const short_ = (...tiers: (readonly (string | number)[])[]) =>
    [
      'File type = "ooTextFile"',
      'Object class = "TextGrid"',
      '',
      0,
      0.5,
      '<exists>',
      tiers.length,
      ...tiers.flat(),
    ].join('\n')
  /** As Praat writes it, with names and places beside the values. */
  const LONG = `File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0 
xmax = 0.5 
tiers? <exists> 
size = 3 
item []: 
    item [1]:
        class = "TextTier" 
        name = "bell" 
        xmin = 0 
        xmax = 0.5 
        points: size = 1 
        points [1]:
            number = 0.2 
            mark = "ding 3" 
    item [2]:
        class = "IntervalTier" 
        name = "phones" 
        xmin = 0 
        xmax = 0.5 
        intervals: size = 1 
        intervals [1]:
            xmin = 0 
            xmax = 0.5 
            text = "W" 
    item [3]:
        class = "IntervalTier" 
        name = "Words" ! 17 comments "here"
        xmin = 0 
        xmax = 0.5 
        intervals: size = 4 
        intervals [1]:
            xmin = 0 
            xmax = 0.1 
            text = "" 
        intervals [2]:
            xmin = 0.1 
            xmax = 0.25 
            text = "One" 
        intervals [3]:
            xmin = 0.25 
            xmax = 0.3 
            text = "SIL" 
        intervals [4]:
            xmin = 0.3 
            xmax = 0.5 
            text = "on the ""top""" 
`
  const bigEndian = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le').swap16()

  it.each<[string, string | Uint8Array]>([
    ['the long format', LONG],
    ['the long format with CRLF', LONG.replaceAll('\n', '\r\n')],
    ['UTF-16, as Praat writes it', bigEndian(LONG)],
    ['UTF-16 of little end', Buffer.from(`\ufeff${LONG}`, 'utf16le')],
    ['UTF-8 with a byte order mark', `\ufeff${LONG}`],
    ['the short format', short_(BELL, PHONES, tier('word'))],
    [
      'the old short format',
      short_(tier('ORT-MAU'), PHONES)
        .replace('"ooTextFile"', '"ooTextFile short"')
        .replace('Object class = ', ''),
    ],
    ['the tier of a speaker', short_(PHONES, tier('Speaker A - words'))],
    ['the first interval tier when none is named', short_(BELL, tier('mine'), PHONES)],
  ])('are read from %s', async (_, text) => {
    const place = await folder('data', { 'a.TextGrid': text })
    expect(short(await readTextGrid(join(place, 'a.TextGrid')))).toEqual(FOUND)
  })

  it('are found beside recordings, or by the utterance beside its list; a part has its own', async () => {
    const beside = {
      ...WAVS,
      'manifest.jsonl': ONE_TWO,
      'a.TextGrid': LONG,
      'b.textgrid': short_(tier('words')),
    }
    expect(await wordsOf(await folder('beside', beside))).toEqual({ 'a.wav': FOUND, 'b.wav': FOUND })
    const part = { file: 'clips/a.wav', offset: 0.125, duration: 0.25, text: 'x' }
    const parts = await folder('parts', {
      'clips/a.wav': '',
      'manifest.jsonl': `${JSON.stringify({ ...part, id: 'u' })}\n${JSON.stringify({ ...part, id: 'v' })}`,
      'clips/a.TextGrid': LONG,
    })
    expect(await wordsOf(parts)).toEqual({ u: ['One 0-0.125'], v: ['One 0-0.125'] })
    await writeFile(join(parts, 'v.TextGrid'), short_(tier('words')))
    expect((await wordsOf(parts))['u']).toEqual(['One 0-0.125'])
  })

  it.each([
    ['File type = "ooTextFile"\nObject class = "PitchTier"\n0 1', ' is not a TextGrid in a text format.'],
    ['"Praat chronological TextGrid text file"\n0 1', ' is not a TextGrid in a text format.'],
    ['{"start": 0}', ' is not a TextGrid in a text format.'],
    ['', ' is not a TextGrid in a text format.'],
    [short_(BELL), ' has no interval tier.'],
    [short_().replace('<exists>', '<absent>'), ' has no interval tier.'],
    [short_(tier('words'), tier('b - words')), ' has 2 tiers of words: words, b - words.'],
    [LONG.slice(0, LONG.indexOf('text = "on')), ' ends where the text of an interval should be.'],
    [LONG.replace('xmax = 0.25', 'xmax = "x"'), ', line 40 has "x", wanted the end of an interval.'],
    [LONG.replace('size = 4', 'size = 4e9'), ', line 33 has 4000000000, wanted the number of intervals.'],
    [LONG.replace('size = 3 ', 'size = 1.5'), ', line 7 has 1.5, wanted the number of tiers.'],
    [LONG.replace('"TextTier"', '"Textured"'), ', line 10 is "Textured", wanted IntervalTier or TextTier.'],
    [
      LONG.replace('xmax = 0.25', 'xmax = 0.05'),
      ', line 41: "One" ends at 0.05 s, before its start at 0.1 s.',
    ],
    [
      short_(tier('words', [...WORDS.slice(9), ...WORDS.slice(3, 6)])),
      ', line 18: "One" starts at 0.1 s, before "on the "top"" at 0.3 s.',
    ],
  ])('are refused by file and line (%#)', async (text, message) => {
    const place = await folder('data', { 'a.TextGrid': text })
    await expect(readTextGrid(join(place, 'a.TextGrid'))).rejects.toThrow(
      `${join(place, 'a.TextGrid')}${message}`,
    )
  })
})
