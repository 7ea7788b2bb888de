// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { markdownBreaches, phraseBreaches, proseOf, titlesOf } from '../../scripts/style-rules.ts'

const LONG = `Word ${'word '.repeat(25).trim()}.`

describe('the rules of style', () => {
  it.each([
    ['It is no file.', '"is no"; write: is not a ...'],
    ['onProgress is told how far it is.', '"told"; write: called with, reported, shows'],
    ['It goes on.', '"goes on"; write: continue'],
    ['Readers can tell them apart.', '"tell"; write: called with, reported, shows'],
    ['A model may hear it.', '"hear"; write: transcribes, recognized'],
    ['The stage knows all variants.', '"knows"; write: has, records, supports'],
    ['It does not know the size.', '"does not know"; write: has, records, supports'],
    ['The format wants bytes.', '"wants"; write: needs, requires, takes'],
    ['The runtime asks for bytes.', '"asks"; write: requests, reads, calls'],
  ])('find a phrase: %s', (text, problem) => {
    expect(phraseBreaches(`Fine.\n${text}`)).toEqual([{ line: 2, problem }])
  })

  it.each([
    ...['There is no file.', 'It is no longer there.', 'It is not a file.'],
    ...['The user wants it.', 'The one who asks.', 'A name that nobody knows.', 'Found 1, wanted 2.'],
    'See hear-clips.ts.',
  ])('take %s', (text) => {
    expect(phraseBreaches(text)).toEqual([])
  })

  it('count the words of a sentence, whose code and links are short', () => {
    expect(markdownBreaches(`# Title\n\nShort. ${LONG}\n`)).toEqual([
      { line: 3, problem: expect.stringContaining('a sentence of 26 words, at most 25: Word word') },
    ])
    expect(
      markdownBreaches(`${'word '.repeat(24)}\`${LONG}\`.\n\n    ${LONG}\n\n\`\`\`\n${LONG}\n\`\`\`\n`),
    ).toEqual([])
  })

  it('find the cell of a table that is a list', () => {
    const row = (cell: string) => `| ${cell} | b |\n| --- | --- |\n`
    expect(markdownBreaches(row('x'.repeat(121)))).toEqual([
      { line: 1, problem: expect.stringContaining('a cell of 121 characters, at most 120') },
    ])
    expect(markdownBreaches(row('x'.repeat(120)))).toEqual([])
  })

  it('look at comments and texts of programs, not at names', () => {
    const code = "const told = 'told' // it is told\nheard(`it told `)"
    expect(phraseBreaches(proseOf(code, 'script')).map(({ line }) => line)).toEqual([1, 2])
    expect(phraseBreaches(proseOf('told = heard("told")\n', 'python'))).toEqual([])
  })

  it('look at titles of tests, not at what else a test has', () => {
    const code = `describe('a reader', () => {
  it('tells', () => expect(heard('the text that is told')).toBe(1))
  it.each([1, 2])("knows %i", (n) => {})
  it.each([
    ['told twice', 2],
  ])(\`wants %s\`, () => {})
  // it is told
})`
    expect(phraseBreaches(titlesOf(code)).map(({ line }) => line)).toEqual([2, 3, 6])
  })
})
