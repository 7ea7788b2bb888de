// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { bootstrapInterval, pairedDifference } from '../../eval/bootstrap.ts'
import { readBiasingLists } from '../../eval/hotwords/biasing-lists.ts'
import { compareHotwords, summarizeHotwords } from '../../eval/hotwords/hotword-figures.ts'
import { scoreHotwords } from '../../eval/hotwords/hotword-score.ts'
import { contextOf, type HotwordLists, type Hotwords } from '../../eval/hotwords/hotwords.ts'
import { MANIFEST_LISTS } from '../../eval/hotwords/manifest-lists.ts'
import { makeListParser } from '../../eval/hotwords/text-list.ts'
import { type NormalizerName, normalizedWords } from '../../eval/normalize/normalizers.ts'
import { alignWords } from '../../eval/wer.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { folder, freshRoot, open } from '../helpers/recordings.ts'

const HINT =
  'Write a line for each utterance, without a header, with tabs between: ID, TEXT, ["rare", "words"], ["all", "rare", "words"].'

describe('a file of lists', () => {
  let file = ''
  beforeEach(async () => {
    file = join(await temporaryFolder(), 'biasing_3.tsv')
  })
  const read = async (...lines: readonly string[]) => {
    await writeFile(file, lines.join('\n'))
    return readBiasingLists(file)
  }

  it('is read in the layout of the public ones, with quotes of either kind', async () => {
    const lists = await read(
      '61-70968-0000\the began\t[]\t["athens", "o\'neil"]',
      '',
      `61-70968-0001\tthe "o'neil" said\t["o'neil"]\t['athens', "o'neil", 'say \\"no\\"', 'caf\\xe9', ]`.replace(
        ', ]',
        ']',
      ),
    )
    expect([...lists.rows]).toEqual([
      ['61-70968-0000', { text: 'he began', rare: [], list: ['athens', "o'neil"], line: 1 }],
      [
        '61-70968-0001',
        {
          text: 'the "o\'neil" said',
          rare: ["o'neil"],
          list: ['athens', "o'neil", 'say "no"', 'café'],
          line: 3,
        },
      ],
    ])
    expect(lists.of({ id: '61-70968-0000', text: '' })?.list).toEqual(['athens', "o'neil"])
    expect(lists.of({ id: '61-70968-0002', text: '' })).toBeUndefined()
    expect(contextOf(lists.of({ id: '61-70968-0001', text: '' }) as Hotwords)).toBe(
      'athens, o\'neil, say "no", café',
    )
  })

  it('has another id with another content, and ends of lines do not matter', async () => {
    const first = await read('a\tone\t["one"]\t["one", "two"]')
    const windows = await read('a\tone\t["one"]\t["one", "two"]\r')
    expect(windows.rows).toEqual(first.rows)
    expect(first.id).toMatch(/^[\da-f]{16}$/)
    expect((await read('a\tone\t["one"]\t["one", "six"]')).id).not.toBe(first.id)
  })

  it.each<[string, readonly string[], string]>([
    [
      'three columns',
      ['a\tone\t["one"]'],
      ', line 1 has 3 columns, wanted 4 with tabs between: id, text, rare words, list.',
    ],
    ['no id', ['a\tone\t[]\t[]', ' \tone\t[]\t[]'], ', line 2 has no id.'],
    [
      'words without quotes',
      ['a\tone\t[one]\t[]'],
      ', line 1: column 3 (rare words) is not a list of texts in quotes: it goes wrong at "one]".',
    ],
    [
      'a header',
      ['id\ttext\trare\tlist'],
      ', line 1: column 3 (rare words) is not a list of texts in quotes: it goes wrong at "rare".',
    ],
    [
      'a list that is cut off',
      ['a\tone\t[]\t["one", "tw'],
      ', line 1: column 4 (list) is not a list of texts in quotes: it goes wrong at "\\"tw".',
    ],
    [
      'a list that is not closed',
      ['a\tone\t[]\t["one"'],
      ', line 1: column 4 (list) is not a list of texts in quotes: it ends early.',
    ],
    [
      'a comma at the end',
      ['a\tone\t[]\t["one",]'],
      ', line 1: column 4 (list) is not a list of texts in quotes: it goes wrong at "]".',
    ],
    [
      'something behind a list',
      ["a\tone\t[]\t['one'] two"],
      ', line 1: column 4 (list) is not a list of texts in quotes: it goes wrong at "] two".',
    ],
    [
      'a number in a list',
      ['a\tone\t[]\t["one", 2]'],
      ', line 1: column 4 (list) is not a list of texts in quotes: it goes wrong at "2]".',
    ],
    ['a blank text', ['a\tone\t[]\t["one", " "]'], ', line 1: column 4 (list) has a text that is blank.'],
    [
      'an escape of nobody',
      ["a\tone\t['\\q']\t[]"],
      ', line 1: column 3 (rare words) has an escape that is not known: "\\\\q".',
    ],
  ])('is refused by file and line when it has %s', async (_, lines, message) => {
    await expect(read(...lines)).rejects.toMatchObject({ message: `${file}${message}`, hint: HINT })
  })

  it('is refused when an id comes twice, when it is empty, and when it is not there', async () => {
    await expect(read('a\tone\t[]\t[]', 'b\tone\t[]\t[]', 'a\tone\t[]\t[]')).rejects.toThrow(
      `${file}, line 3: the id a is in line 1 already.`,
    )
    await expect(read('')).rejects.toThrow(`${file} has no lines, wanted one for each utterance.`)
    await expect(readBiasingLists(join(file, 'nowhere'))).rejects.toThrow('nowhere does not exist.')
    await writeFile(file, Buffer.from([0x61, 0x09, 0xe9, 0x09]))
    await expect(readBiasingLists(file)).rejects.toThrow(`${file}, line 1 is not valid UTF-8.`)
  })
})

describe('a list of texts', () => {
  const parse = makeListParser()
  it.each<[string, readonly string[]]>([
    ['[]', []],
    [' [ ] ', []],
    ['["a","b"]', ['a', 'b']],
    ["['a' , 'b']", ['a', 'b']],
    [`['it\\'s', "a 'b'", 'c "d"']`, ["it's", "a 'b'", 'c "d"']],
    [`["\\u00e9\\t.", '\\u00e9', '\\\\']`, ['é\t.', 'é', '\\']],
    ["[' New York ']", ['New York']],
  ])('%s', (source, texts) => {
    expect(parse(source)).toEqual({ texts })
  })
})

describe('hotwords of a manifest', () => {
  beforeEach(freshRoot)
  const opened = async (hotwords: unknown, text = 'Ask Anna in New York.') => {
    const line = JSON.stringify({ file: 'a.wav', text, hotwords })
    const { utterances } = await open(await folder('data', { 'a.wav': '', 'manifest.jsonl': line }))
    return utterances[0]
  }

  it('are lists, of which those are said that the reference has', async () => {
    const utterance = await opened(['anna', ' New York ', 'York Minster', 'Berta'])
    expect(MANIFEST_LISTS.of(utterance as Parameters<HotwordLists['of']>[0])).toEqual({
      rare: ['anna', 'New York'],
      list: ['anna', 'New York', 'York Minster', 'Berta'],
    })
    const list = ['\u5f20\u4f1f', '\u5f20\u7ef4']
    expect(MANIFEST_LISTS.of({ id: 'a', text: '\u6211\u53eb\u5f20\u4f1f', hotwords: list })).toEqual({
      rare: ['\u5f20\u4f1f'],
      list,
    })
  })

  it('are a part of the key: with another list it is another utterance', async () => {
    const keys: string[] = []
    for (const hotwords of [['anna'], ['berta'], undefined]) keys.push((await opened(hotwords))?.key ?? '')
    expect(new Set(keys).size).toBe(3)
    expect(keys[0]?.startsWith(`${keys[2]} `)).toBe(true)
  })

  it.each([
    ['null', null],
    ['a text', 'anna'],
    ['an object', {}],
  ])('are none in a column that holds %s', async (_, hotwords) => {
    const utterance = await opened(hotwords)
    expect(utterance?.hotwords).toBeUndefined()
    expect(MANIFEST_LISTS.of(utterance as Parameters<HotwordLists['of']>[0])).toBeUndefined()
  })

  it.each<[unknown[], string]>([
    [['anna', 3], 'line 1: hotword 2 is a number (3), wanted a text.'],
    [[' '], 'line 1: hotword 1 is a string ( ), wanted a text.'],
    [[{ text: 'anna' }], 'line 1: hotword 1 is an object of text, wanted a text.'],
  ])('are refused by line: %j', async (hotwords, message) => {
    await expect(opened(hotwords)).rejects.toThrow(message)
  })
})

const score = (
  reference: string,
  heard: string,
  hotwords: Hotwords,
  normalizer: NormalizerName = 'basic',
) => {
  const [wanted, found] = [normalizedWords(reference, normalizer), normalizedWords(heard, normalizer)]
  const operations = alignWords(wanted, found)
  return scoreHotwords({ reference: wanted, hypothesis: found, operations }, hotwords, normalizer)
}

describe('the hotwords of an utterance', () => {
  const NAMES = { rare: ['ANNA', 'BERTA'], list: ['ANNA', 'BERTA', 'CAESAR', 'DORA'] }

  it('are scored by the word of the reference, and insertions by the word that is inserted', () => {
    // call anna berta -> caesar, now, and then two insertions: please, and berta, which is a rare word of the utterance
    expect(score('Call Anna, Berta now.', 'Call Anna, Caesar now, please, Berta.', NAMES)).toEqual({
      biased: { errors: 2, length: 2 },
      unbiased: { errors: 1, length: 2 },
      missed: { errors: 1, length: 2 },
      inserted: { errors: 1, length: 4 }, // caesar; berta is in the reference as often
      listed: 4,
    })
  })

  it('count deletions, repetitions and distractors', () => {
    // anna deleted; berta twice in the reference, once heard; dora heard twice
    expect(score('Anna and Berta and Berta', 'and Berta and Dora Dora', NAMES)).toEqual({
      biased: { errors: 2 + 0, length: 3 },
      unbiased: { errors: 1, length: 2 }, // the second dora
      missed: { errors: 2, length: 3 },
      inserted: { errors: 2, length: 5 },
      listed: 4,
    })
  })

  it('count a text that nobody said', () => {
    expect(score('', 'Anna, Berta, Caesar', { rare: [], list: NAMES.list })).toEqual({
      biased: { errors: 0, length: 0 },
      unbiased: { errors: 3, length: 0 },
      missed: { errors: 0, length: 0 },
      inserted: { errors: 3, length: 0 },
      listed: 4,
    })
    expect(score('Call Anna', '', NAMES)).toEqual({
      biased: { errors: 1, length: 1 },
      unbiased: { errors: 1, length: 1 },
      missed: { errors: 1, length: 1 },
      inserted: { errors: 0, length: 2 },
      listed: 4,
    })
  })

  it('may be phrases, which count where the whole of them stands', () => {
    // the first new is deleted and york is right; the new of new town is none of the phrase
    const hotwords = { rare: ['New York'], list: ['New York', 'York', 'New Delhi'] }
    expect(score('Meet in New York or the new town', 'meet in york or the town', hotwords)).toEqual({
      biased: { errors: 1, length: 2 },
      unbiased: { errors: 1, length: 6 },
      missed: { errors: 1, length: 1 },
      inserted: { errors: 0, length: 8 },
      listed: 3,
    })
    expect(score('Meet in York', 'meet in New York', hotwords)).toMatchObject({
      biased: { errors: 1, length: 0 }, // the inserted new is a word of the phrase
      inserted: { errors: 1, length: 3 }, // New York; York alone is in the reference
    })
  })

  it('are normalized as the texts are, and what then is the same is one', () => {
    const hotwords = { rare: ['COLOUR', 'color', '...'], list: ['Colour', 'color', 'um'] }
    expect(score('The colours, the colour.', 'the colors the color', hotwords, 'whisper-english')).toEqual({
      biased: { errors: 0, length: 1 },
      unbiased: { errors: 0, length: 3 },
      missed: { errors: 0, length: 1 },
      inserted: { errors: 0, length: 4 },
      listed: 3,
    })
    expect(score('The colour.', 'the color', hotwords)).toMatchObject({ missed: { errors: 1, length: 1 } })
  })

  it('are scored by characters in scripts without spaces', () => {
    const hotwords = { rare: ['\u5f20\u4f1f'], list: ['\u5f20\u4f1f', '\u5f20\u7ef4'] }
    expect(score('\u6211\u53eb\u5f20\u4f1f\u3002', '\u6211\u53eb\u5f20\u7ef4', hotwords)).toEqual({
      biased: { errors: 1, length: 2 },
      unbiased: { errors: 0, length: 2 },
      missed: { errors: 1, length: 1 },
      inserted: { errors: 1, length: 4 },
      listed: 2,
    })
  })
})

describe('the hotwords of all utterances', () => {
  const hotwords = { rare: ['anna'], list: ['anna', 'berta'] }
  const heard = (...texts: readonly string[]) => texts.map((text) => score('call anna now', text, hotwords))
  const without = heard('call hanna now', 'call anna now', 'call hannah', 'call on a now')
  const lists = heard('call anna now', 'call anna now', 'call anna berta', 'call hanna now')

  it('are added up, and their intervals are those of error rates', () => {
    const figures = summarizeHotwords(without)
    // biased: hanna, -, hannah or a deletion, on or a; unbiased: the deleted now, and one more of "on a"
    expect(figures).toMatchObject({
      utterances: 4,
      wer: { count: 5, of: 12, rate: 5 / 12 },
      bWer: { count: 3, of: 4, rate: 0.75 },
      uWer: { count: 2, of: 8, rate: 0.25 },
      recall: { count: 1, of: 4, rate: 0.25 },
      falseInsertions: { count: 0, of: 12, rate: 0, low: 0, high: 3 / 12 },
    })
    const samples = without.map(({ biased }) => biased)
    expect(figures.bWer).toMatchObject(bootstrapInterval(samples))
    const { low, high } = bootstrapInterval(without.map(({ missed }) => missed))
    expect(figures.recall).toMatchObject({ low: 1 - high, high: 1 - low })
  })

  it('are compared in pairs; more recall is a positive difference', () => {
    const found = compareHotwords(without.map((score, i) => [score, lists[i] as typeof score] as const))
    expect(found.utterances).toBe(4)
    expect(found.bWer).toEqual(
      pairedDifference(
        without.map(({ biased }) => biased),
        lists.map(({ biased }) => biased),
      ),
    )
    expect(found.bWer.difference).toBe(-0.5)
    expect(found.recall.difference).toBe(0.5)
    expect([found.recall.low, found.recall.high]).toEqual([-found.bWer.high, -found.bWer.low])
    expect(found.recall.higher).toBeGreaterThan(0.9)
    expect(found.falseInsertions.difference).toBeCloseTo(1 / 12, 12)
  })

  it('have no figures where there is nothing to count in', () => {
    const silent = summarizeHotwords([score('', 'anna', { rare: [], list: ['anna'] })])
    expect(silent.bWer).toMatchObject({ rate: Number.NaN, count: 0, of: 0, low: Number.NaN })
    expect(silent.falseInsertions).toMatchObject({ rate: Number.NaN, count: 1, of: 0 })
  })
})
