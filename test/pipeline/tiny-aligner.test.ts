// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { sharedTinyAligner, stagePython, tinyAlignerRun } from '../helpers/prepared.ts'

interface Found {
  readonly times: readonly (number | null)[]
  readonly last: readonly number[]
  readonly long: string
  readonly classes: readonly number[]
  readonly shares: readonly number[]
  readonly frames: readonly number[]
  readonly heard: number
  readonly prompt: boolean
  readonly tokenizer: boolean
  readonly batch: Readonly<Record<'slots' | 'times' | 'pads' | 'features', boolean>>
  readonly score: Readonly<Record<'clips' | 'slots' | 'mean' | 'median' | 'within_80' | 'within_200', number>>
}

const FIXTURES = join(PROJECT, 'test', 'fixtures')

let found: Found

beforeAll(async () => {
  const { stdout } = await execa(await stagePython(), ['test/helpers/check_aligner_labels.py', FIXTURES])
  found = JSON.parse(stdout)
})

describe('the training of the tiny forced aligner', () => {
  it('has the start and the end of each unit as targets; between units that are one entry nothing is known', () => {
    // Turn, in, the, door; the dash is no unit
    expect(found.times).toEqual([0.1, 0.34, 0.34, null, null, 0.9, 1, 1.2])
  })

  it('refuses words behind the last class', () => {
    expect(found.last).toEqual([12, 12.75])
    expect(found.long).toBe('A word ends at 12.77 s, the last class is 12.72 s.')
  })

  it('spreads the target of a slot over the classes of 80 ms around its time', () => {
    expect(found.classes).toEqual([0, 2, 15, 159])
    expect(found.shares.map((share) => Number(share.toFixed(3)))).toEqual([0.022, 0.228, 0.499, 0.228, 0.022])
  })

  it('computes where the 13 audio positions of a second stand', () => {
    const second = [0, 0.08, 0.16, 0.24, 0.32, 0.4, 0.48, 0.56, 0.64, 0.72, 0.8, 0.88, 0.96]
    const [before, behind] = [second.slice(11), second.slice(0, 2)]
    const wanted = [...before, ...second.map((time) => 1 + time), ...behind.map((time) => 2 + time)]
    expect(found.frames.map((time) => time.toFixed(2))).toEqual(wanted.map((time) => time.toFixed(2)))
  })

  it('moves the times of words with their sound, when clips are joined, stretched and padded', () => {
    expect(found.heard).toBeLessThan(0.001)
  })

  it('has the prompt of the processor, and slots, times and features in one order', () => {
    expect([found.prompt, found.tokenizer]).toEqual([true, true])
    expect(found.batch).toEqual({ slots: true, times: true, pads: true, features: true })
  })
})

it('the tiny forced aligner times held-out speech as its card says', async () => {
  const card = (await readFile(join(FIXTURES, 'qwen3-aligner-tiny', 'README.md'), 'utf8')).replace(
    /\s+/g,
    ' ',
  )
  const { clips, slots, mean, median, within_80, within_200 } = found.score
  expect([clips, slots]).toEqual([70, 916])
  expect(card).toContain('(916 slots of 70 clips,')
  const percent = (share: number) => (100 * share).toFixed(1)
  expect(card).toContain(
    `mean absolute error ${mean.toFixed(1)} ms, median ${median.toFixed(1)} ms, ` +
      `${percent(within_80)} % within 80 ms, ${percent(within_200)} % within 200 ms.`,
  )
})

describe('npm run pipeline -- --model tiny-aligner', () => {
  it('makes a release whose gates have all passed, within 60 ms of the exact times', async () => {
    const folder = await sharedTinyAligner()
    expect(await tinyAlignerRun()).not.toMatch(/\b(?:FAIL|not proven)\b/)
    const report = JSON.parse(await readFile(join(folder, 'report.json'), 'utf8'))
    const gates: readonly { gate: string; variant: string; pass: boolean; found: number; limit: number }[] = [
      ...report.parity.gates,
      ...report.evaluation.gates,
    ]
    expect(gates.filter(({ pass }) => !pass)).toEqual([])
    const error = gates.find(({ gate, variant }) => gate === 'time error' && variant === 'fp32')
    expect(error?.limit).toBe(60)
    expect(error?.found).toBeCloseTo(found.score.mean, 0)
    expect(gates.some(({ gate, variant }) => gate === 'slots moved' && variant === 'int4')).toBe(true)
    const files = await readdir(join(folder, 'release'))
    expect(files.filter((file) => file.endsWith('.tar.gz')).sort()).toEqual([
      'qwen3-aligner-tiny-int4.tar.gz',
      'qwen3-aligner-tiny.tar.gz',
    ])
  })
})
