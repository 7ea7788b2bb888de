// SPDX-License-Identifier: Apache-2.0

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseHTML } from 'linkedom'
import { describe, expect, it } from 'vitest'
import { csvText } from '../../eval/csv.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { tableLines } from '../../pipeline/shared/text-table.ts'
import { peersChart } from '../../scripts/peer-chart.ts'
import { writeClips } from '../../scripts/peer-clips.ts'
import { bytesOf, ENGINES, handedIn } from '../../scripts/peer-engines.ts'
import { pinnedVersion } from '../../scripts/peer-environment.ts'
import { counted, type Figures, figuresOf } from '../../scripts/peer-figures.ts'
import { measureSides } from '../../scripts/peer-measure.ts'
import { describeCheckpoint } from '../../scripts/peer-models.ts'
import { coldOfJob, coldOfTranscript, type LoadedResult, reasonOf } from '../../scripts/peer-process.ts'
import { RATIO_COLUMNS, ratioRows } from '../../scripts/peer-ratios.ts'
import type { Side } from '../../scripts/peer-sides.ts'
import { COLUMNS, csvRowsOf, markdownOf, remarksOf, rowsOf } from '../../scripts/peer-table.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const parts = { encoder: 0.4, prompt: 0.2, first: 0.7, step: 0.02 }
const loaded = (seconds: number): LoadedResult => ({
  ...{ load: seconds / 10, peak: 1e9 * seconds },
  clips: [
    { ...parts, seconds, tokens: 30 },
    { ...parts, seconds: 4 * seconds, tokens: 120 },
  ],
})

/** A side whose rounds take 1, 2, 3 ... times as long. */
function side(name: string, calls: string[], fail?: number): Side {
  let round = 0
  return {
    ...{ name, isOurs: name === 'ours', bytes: 1.5e9 },
    async loaded(clips) {
      calls.push(`${name} ${clips.map(({ seconds }) => seconds).join()}`)
      if (++round === fail) throw new Error('model load failed')
      return loaded(round)
    },
    async cold({ seconds, newTokens }) {
      calls.push(`${name} cold ${seconds}`)
      return { seconds: seconds + round, tokens: newTokens, step: null }
    },
  }
}

async function measured(sides: readonly Side[], rounds: number) {
  const notes: string[] = []
  const found = await measureSides(sides, rounds, await temporaryFolder(), (note) => notes.push(note))
  return { ...found, figures: found.rounds.map(figuresOf), notes }
}

describe('sides', () => {
  it('take turns, and their figures are medians of the rounds', async () => {
    const calls: string[] = []
    const { figures, missing, notes } = await measured([side('ours', calls), side('peer', calls)], 3)
    const turn = ['ours 11,35', 'ours cold 3', 'ours cold 11', 'peer 11,35', 'peer cold 3', 'peer cold 11']
    expect(calls).toEqual(['ours cold 3', 'peer cold 3', ...turn, ...turn, ...turn])
    expect(notes.slice(0, 4)).toEqual([
      ...['first start: ours', 'first start: peer', 'round 1 of 3: ours', 'round 1 of 3: peer'],
    ])
    expect(missing).toEqual([])
    expect(figures[0]).toMatchObject({ name: 'ours', isOurs: true, load: 0.2, peak: 2e9, bytes: 1.5e9 })
    expect(figures[0]?.clips[1]).toEqual({ ...parts, seconds: 8, tokens: 120, count: 'wanted' })
    expect(figures[0]?.cold).toEqual([
      { seconds: 5, tokens: 8, count: 'wanted' },
      { seconds: 13, tokens: 30, count: 'wanted' },
    ])
  })

  it('that fail in any round are named as missing, and the others continue', async () => {
    const calls: string[] = []
    const { figures, missing } = await measured([side('peer', calls, 2), side('ours', calls)], 3)
    expect(figures.map(({ name }) => name)).toEqual(['ours'])
    expect(missing).toEqual([{ name: 'peer', reason: 'model load failed' }])
    expect(calls.filter((call) => call.startsWith('peer'))).toHaveLength(5)
    expect(calls.filter((call) => call === 'ours 11,35')).toHaveLength(3)
  })
})

describe('a number of tokens', () => {
  const run = (seconds: number, tokens: number) => ({ seconds, tokens })

  it.each([
    ['as wanted', [run(2, 30), run(4, 30)], 0.1, { seconds: 3, tokens: 30, count: 'wanted' }],
    [
      'larger, with the time of a step',
      [run(25.6, 256)],
      0.1,
      { seconds: 3, tokens: 256, count: 'calculated' },
    ],
    ['larger without it', [run(25.6, 256)], undefined, { seconds: 25.6, tokens: 256, count: 'other' }],
    ['smaller', [run(2, 12)], 0.1, { seconds: 2, tokens: 12, count: 'other' }],
    ['smaller once', [run(2, 30), run(1, 12)], 0.1, { seconds: 1.5, tokens: 21, count: 'other' }],
  ])('is marked: %s', (_, runs, step, wanted) => {
    const { seconds, ...rest } = counted(runs, 30, step)
    expect({ ...rest, seconds: Number(seconds.toFixed(9)) }).toEqual(wanted)
  })
})

const FIGURES: readonly Figures[] = [
  {
    ...{ name: 'int4', isOurs: true, load: 2, peak: 2.9e9, bytes: 1.4e9 },
    clips: [
      { ...parts, seconds: 1.5, tokens: 30, count: 'wanted' },
      { ...parts, seconds: 6, tokens: 120, count: 'wanted' },
    ],
    cold: [
      { seconds: 3, tokens: 8, count: 'wanted' },
      { seconds: 5.6, tokens: 30, count: 'wanted' },
    ],
  },
  {
    ...{ name: 'peer 1.0', isOurs: false, load: 0.5, peak: 1.2e9, bytes: 590e6 },
    clips: [
      {
        seconds: 2,
        tokens: 256,
        count: 'calculated',
        first: 1,
        encoder: undefined,
        prompt: undefined,
        step: 0.03,
      },
      { seconds: 9, tokens: 70, count: 'other', first: 4, encoder: undefined, prompt: undefined, step: 0.04 },
    ],
    cold: [
      { seconds: 1, tokens: 256, count: 'calculated' },
      { seconds: 2.4, tokens: 256, count: 'calculated' },
    ],
  },
]
const MISSING = [{ name: 'other 2.0', reason: 'No matching distribution | found' }]

describe('the table', () => {
  it('has a row for each side, with marks and with what is missing', () => {
    const [ours, peer, missing] = rowsOf(FIGURES, MISSING)
    expect(COLUMNS.slice(0, 7)).toEqual([
      ...['side', 'load', 'resident', 'on disk', 'cold, 3 s', 'cold, 11 s', '11 s, 30 tokens'],
    ])
    expect(ours?.slice(0, 11)).toEqual([
      ...['int4', '2.00 s', '2.90 GB', '1.40 GB', '3.00 s', '5.60 s'],
      ...['1.50 s', '700 ms', '400 ms', '200 ms', '20.0 ms'],
    ])
    expect(peer?.slice(4)).toEqual([
      ...['1.00 s *', '2.40 s *', '2.00 s *', '1000 ms', '-', '-', '30.0 ms'],
      ...['9.00 s **', '4000 ms', '-', '-', '40.0 ms'],
    ])
    expect(missing?.slice(0, 3)).toEqual(['other 2.0', 'missing', ''])
    expect(tableLines(COLUMNS, rowsOf(FIGURES, MISSING), 400)).toHaveLength(5)
    expect(remarksOf(FIGURES, MISSING)).toEqual([
      '* The engine gave more tokens than asked for; the steps of those are taken off.',
      '** Another number of tokens: compare the time to the first token, and that of a step.',
      'peer 1.0: 256 tokens at 11 s, 70 at 35 s.',
      'other 2.0 is missing: No matching distribution | found',
    ])
    expect(remarksOf(FIGURES.slice(0, 1), [])).toEqual([])
  })

  it('is the same in Markdown, where each row has every cell', () => {
    const lines = markdownOf(FIGURES, MISSING).split('\n')
    const cells = lines.filter((line) => line.startsWith('|')).map((line) => line.split(/(?<!\\)\|/).length)
    const widths = [
      ...Array.from({ length: 5 }, () => COLUMNS),
      ...Array.from({ length: 3 }, () => RATIO_COLUMNS),
    ]
    expect(cells).toEqual(widths.map(({ length }) => length + 2))
    expect(lines).toContain('other 2.0 is missing: No matching distribution \\| found  ')
    expect(lines[3]).toContain('| 9.00 s \\*\\* |')
  })

  it('says how far ours is ahead of the best of the others, at the same number of tokens', () => {
    expect(RATIO_COLUMNS.slice(1)).toEqual(['11 s', '35 s', 'cold, 3 s', 'cold, 11 s', 'resident', 'on disk'])
    expect(ratioRows(FIGURES)).toEqual([['int4', '1.33 x', '-', '0.33 x', '0.43 x', '0.41 x', '0.42 x']])
    expect(ratioRows(FIGURES.slice(0, 1))).toEqual([])
  })

  it('is in plain numbers for programs', () => {
    const lines = csvText(csvRowsOf(FIGURES, MISSING)).trimEnd().split('\n')
    expect(lines[0]).toBe(
      'side,clip,start,load,resident,bytes,seconds,first,encoder,prompt,step,tokens,count,missing',
    )
    expect(lines[1]).toBe('int4,11,loaded,2,2900000000,1400000000,1.5,0.7,0.4,0.2,0.02,30,wanted,')
    expect(lines[8]).toBe('peer 1.0,11,cold,,,590000000,2.4,,,,,256,calculated,')
    expect(lines[9]).toBe('other 2.0,,,,,,,,,,,,,No matching distribution | found')
    expect(lines).toHaveLength(10)
  })

  it('is drawn as bars of four quantities, in light and dark', () => {
    const svg = peersChart(FIGURES)
    const { document } = parseHTML(svg)
    expect(document.querySelector('desc')?.textContent).toContain('peer 1.0, resident: 1.20 GB.')
    expect(svg).toContain('prefers-color-scheme: dark')
    const widths = [...document.querySelectorAll('rect:not(#ground)')].map((bar) =>
      Number(bar.getAttribute('width')),
    )
    expect(widths).toHaveLength(8)
    const longest = Math.max(...widths)
    // 1.5 of 2, 6 of 9, all and all of this side; all, all, 1.2 of 2.9 and 0.59 of 1.4 of the other
    expect(widths.map((width) => Number((width / longest).toFixed(2)))).toEqual([
      ...[0.75, 0.67, 1, 1],
      ...[1, 1, 0.41, 0.42],
    ])
  })
})

describe('what is handed in', () => {
  it('is a model by the name of its engine', async () => {
    const path = join(await temporaryFolder(), 'a:b.gguf')
    await writeFile(path, 'GGUF')
    expect([...(await handedIn([`crispasr:${path}`]))]).toEqual([['crispasr', path]])
    expect(await bytesOf(path)).toBe(4)
    expect(await bytesOf(join(path, '..'))).toBe(4)
  })

  it.each([
    ['crispasr', '--peer crispasr is not of the form NAME:FILE.'],
    ['crispasr:', '--peer crispasr: is not of the form NAME:FILE.'],
    ['whisper:/tmp', '--peer whisper:/tmp is not of the form NAME:FILE.'],
    [
      'crispasr:/nowhere/x.gguf',
      '--peer crispasr:/nowhere/x.gguf: there is no file or folder /nowhere/x.gguf.',
    ],
  ])('is refused: %s', async (given, message) => {
    await expect(handedIn([given])).rejects.toThrow(expect.objectContaining({ message, exitCode: 2 }))
  })

  it('is needed where no checkpoint is known', async () => {
    const folder = await temporaryFolder()
    await expect(describeCheckpoint(folder, folder)).rejects.toThrow(
      'needs --checkpoint DIR: no .work/checkpoint.json in --model-dir',
    )
  })
})

it.each(ENGINES.flatMap(({ packages }) => packages))('the version of %s is pinned', async (name) => {
  expect(await pinnedVersion(name)).toMatch(/^\d+(?:\.\d+)+$/)
})

describe('a process of a side', () => {
  it('is read by the line that it prints', () => {
    const line = JSON.stringify({
      load: 1,
      peak: 2,
      clips: [{ ...parts, seconds: 9, tokens: 256, text: '' }],
    })
    expect(coldOfJob(line)).toEqual({ tokens: 256, step: 0.02 })
    expect(coldOfTranscript('{"segments":[{"tokens":20},{"tokens":10}]}')).toEqual({ tokens: 30, step: null })
    expect(() => coldOfTranscript('{"segments":[{}]}')).toThrow(/What transcribe prints: .*tokens/)
  })

  it('that fails is reported with its last sentence', () => {
    const error = Object.assign(new Error('Command failed'), {
      shortMessage: 'Command failed with exit code 1: python',
      stderr: 'Traceback (most recent call last):\n  File "x"\nValueError: bad model\n\n',
    })
    expect(reasonOf(error)).toBe('ValueError: bad model')
    expect(reasonOf(Object.assign(error, { stderr: '' }))).toBe('Command failed with exit code 1: python')
    expect(reasonOf('error: odd')).toBe('odd')
    expect(reasonOf('a'.repeat(500))).toBe(`${'a'.repeat(240)} …`)
  })
})

describe('clips', () => {
  it('are beginnings of the same speech', async () => {
    const written = await writeClips(await temporaryFolder(), [
      { seconds: 1, newTokens: 2 },
      { seconds: 3, newTokens: 8 },
    ])
    const [short, long] = await Promise.all(written.map(({ file }) => loadClip(file)))
    expect([short?.samples.length, long?.samples.length]).toEqual([16_000, 48_000])
    expect(long?.samples.subarray(0, 16_000)).toEqual(short?.samples)
    expect(Math.max(...(long?.samples ?? []))).toBeGreaterThan(0.05)
  })
})
