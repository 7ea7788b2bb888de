// SPDX-License-Identifier: Apache-2.0

import stringWidth from 'string-width'
import { describe, expect, it } from 'vitest'
import { tableLines } from '../../pipeline/shared/text-table.ts'
import { columnsOf, cutLine, wrapLines, wrapWords } from '../../pipeline/shared/text-width.ts'

/** The table of speed that every evaluation prints: 130 columns when nothing is cut. */
const SPEED = [
  ...['system', 'RTF', 'RTFx', 'mel', 'encoder', 'prefill', 'decode', 'tokens/s'],
  ...['first token', 'latency p50', 'p90', 'p99', 'load', 'memory', 'size'],
]
const FIGURES = ['FP32', 'int4'].map((system) => [
  ...[system, '0.0199', '50.3', '0.0050', '0.0053', '0.0015', '0.0081', '644'],
  ...['0.01 s', '0.03 s', '0.14 s', '0.35 s', '3.10 s', '370 MB', '5.68 MB'],
])
const CHECKS = [
  ['files', 'pass', '21 of 21 files, FP32 and int4 complete'],
  [
    'int4 hears',
    'FAIL',
    '"When the sun strikes raindrops in the air, they act as a prism and form a rainbow."',
  ],
]
const WIDE = [
  ['録音.wav', '3', '東京都千代田区で、今日は良い天気です。明日も晴れるでしょう。'],
  ['Zoe\u0308.wav', '12', 'decomposed'],
  ['👩‍👩‍👧.wav', '7', 'a family of one grapheme'],
]

/** Every cell that has no space must be found whole on a line; of others, every word. */
function expectWhole(lines: readonly string[], rows: readonly (readonly string[])[]): void {
  for (const cell of rows.flat())
    for (const word of cell.split(' '))
      expect(
        lines.some((line) => line.includes(word)),
        word,
      ).toBe(true)
}

describe('a table on a terminal', () => {
  it.each([40, 60, 80, 100, 120])('of figures is laid out by cells at %d columns', (width) => {
    const lines = tableLines(SPEED, FIGURES, width)
    for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(width)
    expectWhole(lines, [SPEED, ...FIGURES])
    // a figure stands below its column's name, right-aligned with it
    const at = lines.findIndex((line) => line.includes('tokens/s'))
    const end = (lines[at]?.indexOf('tokens/s') ?? 0) + 'tokens/s'.length
    expect(lines[at + 2]?.slice(0, end).endsWith(' 644')).toBe(true)
    expect(lines[at + 2]?.trim().startsWith('FP32')).toBe(true)
  })

  it.each([60, 80])('of text is wrapped at words inside its column at %d columns', (width) => {
    const lines = tableLines(['check', 'verdict', 'found'], CHECKS, width)
    for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(width)
    expectWhole(lines, CHECKS)
    expect(lines[2]).toMatch(/^ {2}files +pass +21 of 21 files/)
    const start = lines[0]?.indexOf('found') ?? 0
    for (const line of lines.slice(5)) expect(line.slice(0, start).trim()).toBe('')
  })

  it.each([60, 80, 120])(
    'counts wide characters twice and combining ones not at all at %d columns',
    (width) => {
      const lines = tableLines(['file', 'tokens', 'text'], WIDE, width)
      for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(width)
      const column = lines[0]?.indexOf('text') ?? 0
      for (const [, , text = ''] of WIDE) {
        const line = lines.find((one) => one.includes(text.slice(0, 4))) ?? ''
        expect(stringWidth(line.slice(0, line.indexOf(text.slice(0, 4))))).toBe(column)
      }
    },
  )

  it('becomes blocks where two columns do not fit beside each other', () => {
    const hash = 'a'.repeat(64)
    const rows = [['encoder.onnx', hash, 'graph of the encoder']]
    expect(tableLines(['file', 'sha256', 'what'], rows, 60)).toEqual([
      '  encoder.onnx',
      `    sha256:`,
      `      ${hash}`, // to be copied whole
      '    what: graph of the encoder',
    ])
  })

  it('becomes blocks where it must be cut, and the first column names a row twice', () => {
    const columns = ['gate', 'variant', 'by', 'found', 'limit', 'verdict']
    const rows = ['fused', 'split'].map((way) => [
      'kld mean',
      'int4',
      `cpu, ${way}`,
      '9.3e-4',
      '0.01',
      'pass',
    ])
    expect(tableLines(columns, rows, 45)).toEqual(
      ['fused', 'split'].flatMap((way, i) => [
        ...(i === 0 ? [] : ['']),
        ...['  kld mean', '    variant: int4', `    by: cpu, ${way}`],
        ...['    found: 9.3e-4', '    limit: 0.01', '    verdict: pass'],
      ]),
    )
    expect(tableLines(columns, rows, 80)).toHaveLength(4)
  })

  it('is as wide as it is in a file or a pipe', () => {
    const lines = tableLines(SPEED, FIGURES)
    expect(lines).toHaveLength(4)
    expect(lines[2]?.length).toBeGreaterThan(120)
    expect(columnsOf({ columns: 60 })).toBe(Number.POSITIVE_INFINITY)
    expect(columnsOf({ isTTY: true, columns: 60 })).toBe(60)
    expect(columnsOf({ isTTY: true, columns: 0 })).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('lines on a terminal', () => {
  it('wrap at words, and keep what follows the first line indented', () => {
    expect(wrapLines(['  one two three four', 'short'], 12)).toEqual([
      '  one two',
      '    three',
      '    four',
      'short',
    ])
    expect(wrapWords(`see ${'x'.repeat(30)} now`, 12)).toEqual(['see', 'x'.repeat(30), 'now'])
  })

  it('wrap between wide characters, whose scripts have no spaces, and never before a mark', () => {
    expect(wrapWords('今日は良い天気です。明日', 8)).toEqual(['今日は良', 'い天気で', 'す。明日'])
    expect(wrapWords('良い天気です。明日', 12)).toEqual(['良い天気で', 'す。明日'])
    expect(wrapWords('a今日bc', 4)).toEqual(['a今', '日bc'])
  })

  it('that are drawn again and again are cut with a mark', () => {
    expect(cutLine('validate   FP32 parity: 3 of 77', 20)).toBe('validate   FP32 p...')
    expect(cutLine('録音録音録音', 9)).toBe('録音録...')
    expect(cutLine('as it is', 8)).toBe('as it is')
  })
})
