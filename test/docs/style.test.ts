// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { markdownBreaches, phraseBreaches, proseOf } from '../../scripts/style-rules.ts'

const LONG = `Word ${'word '.repeat(25).trim()}.`

describe('the rules of style', () => {
  it.each([
    ['It is no file.', '"is no"; write: is not a ...'],
    ['onProgress is told how far it is.', '"told"; write: called with, reported, shows'],
    ['It goes on.', '"goes on"; write: continue'],
  ])('find a phrase: %s', (text, problem) => {
    expect(phraseBreaches(`Fine.\n${text}`)).toEqual([{ line: 2, problem }])
  })

  it.each(['There is no file.', 'It is no longer there.', 'It is not a file.'])('take %s', (text) => {
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
})
