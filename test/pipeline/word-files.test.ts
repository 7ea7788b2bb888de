// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readCtm } from '../../eval/dataset/ctm.ts'
import { readTextGrid } from '../../eval/dataset/text-grid.ts'
import { ctm, textGrid } from '../../pipeline/transcribe/word-files.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const WORDS = [
  { text: '“Hello,” —', start: 0.32, end: 0.64 },
  { text: 'say "hi"', start: 0.64, end: 0.64 },
  { text: '3.5 %', start: 0.64, end: 1.2 },
  { text: '好。', start: 1.36, end: 2.0004 },
]

const fileOf = async (content: string) => {
  const path = join(await temporaryFolder(), 'words')
  await writeFile(path, content)
  return path
}

describe('words with their times', () => {
  it('are a line each in a CTM file', async () => {
    const content = ctm('my talk', WORDS)
    expect(content).toBe(
      [
        'my_talk 1 0.320 0.320 “Hello,”',
        'my_talk 1 0.640 0.000 say"hi"',
        'my_talk 1 0.640 0.560 3.5',
        'my_talk 1 1.360 0.640 好。',
        '',
      ].join('\n'),
    )
    const read = (await readCtm(await fileOf(content))).get('my_talk')
    expect(read?.map(({ start, end }) => [start, end])).toEqual([
      [0.32, 0.64],
      [0.64, 0.64],
      [0.64, 1.2],
      [1.36, 2],
    ])
    expect(ctm('a', [])).toBe('')
  })

  it('are intervals that cover the recording in a TextGrid', async () => {
    const read = await readTextGrid(await fileOf(textGrid(WORDS, 2.5)))
    expect(read).toEqual([
      { text: '“Hello,” —', start: 0.32, end: 0.64 },
      { text: 'say "hi"', start: 0.64, end: 0.641 },
      { text: '3.5 %', start: 0.641, end: 1.2 },
      { text: '好。', start: 1.36, end: 2 },
    ])
    const sizes = textGrid(WORDS, 2.5)
    expect(sizes).toContain('intervals: size = 7')
    expect(sizes.match(/xmax = 2\.500/g)).toHaveLength(3)
  })

  it('are one empty interval where there are none, and may end behind the recording', async () => {
    expect(textGrid([], 1.5)).toMatch(/size = 1\n[\s\S]*xmax = 1\.500\n +text = ""\n$/)
    expect(textGrid([{ text: 'a', start: 1, end: 1 }], 1)).toMatch(/xmax = 1\.001\n +text = "a"\n$/)
  })
})
