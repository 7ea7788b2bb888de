// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, it } from 'vitest'
import { sharedReleases, stagePython } from '../helpers/prepared.ts'
import { TINY_NAME } from '../helpers/tiny-release.ts'

interface Budget {
  /** of what it may add, 0 to 1 */
  readonly used: number
  readonly chosen: number
  readonly excluded: boolean
}
interface Found {
  readonly states: {
    readonly logits: number
    readonly positions: readonly number[]
    readonly files: readonly string[]
  }
  readonly smoothing: Readonly<Record<string, { readonly apart: number; readonly spread: number }>>
  readonly costs: { readonly least: number; readonly head: number; readonly last: object }
  readonly slopes: Readonly<Record<string, number>>
  readonly budgets: Readonly<Record<'3' | '25' | '60', Budget>> & { readonly first: boolean }
  readonly errors: Readonly<Record<string, readonly [string, string]>>
}

let found: Found

beforeAll(async () => {
  const model = join(await sharedReleases(), TINY_NAME)
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-calibrated-'))
  const { stdout } = await execa(await stagePython(), ['test/helpers/check_calibration.py', model, folder])
  found = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')
  return () => rm(folder, { recursive: true })
})

describe('a calibration', () => {
  it("has the hidden states whose logits are those of the release's own graphs", () => {
    expect(found.states.logits).toBeLessThan(1e-3)
    // 8 prompts of 34 to 41 tokens, and 9 tokens of answer each
    expect(found.states.positions).toEqual([8 * 34 + 28 + 8 * 9, 8 * 9])
  })

  it('continues after the last complete file when it was killed, and makes nothing twice', () => {
    expect(found.states).toMatchObject({ made: 3, again: 2, third: 0, same: true, kept: true })
    expect(found.states.files).toEqual(['00.f32', '01.f32', '02.f32', '03.f32'])
  })

  it('keeps the function of every layer and of the logits by both smoothings', () => {
    expect(Object.keys(found.smoothing)).toEqual(['smoothquant:0.5', 'awq:0.8'])
    for (const { apart, spread } of Object.values(found.smoothing)) {
      expect(apart).toBeLessThan(1e-5)
      expect(spread).toBeGreaterThan(2) // it did something
    }
  })
})

describe('sensitivities', () => {
  it('are measured once, one weight at a time in a small model', () => {
    expect(found.costs).toMatchObject({ method: 'scan', stored: true, once: true, names: true })
    // 448 columns of 2 blocks: levels, 2 scales, zero points
    const [low, high] = [448 * (64 + 8 + 1), 448 * (128 + 8 + 2)]
    expect(found.costs.last).toEqual({ layer: null, role: 'lm_head', bytesLow: low, bytesHigh: high })
    expect(found.costs.least).toBeGreaterThan(0)
    expect(found.costs.head).toBeCloseTo(1, 6)
  })

  it('are by the gradient what the divergence does when a weight moves', () => {
    expect(Object.keys(found.slopes)).toHaveLength(6)
    for (const [name, ratio] of Object.entries(found.slopes))
      expect(Math.abs(ratio - 1), name).toBeLessThan(0.01)
  })

  it('let auto choose within its budget, none that a rule before it takes', () => {
    const { first, ...budgets } = found.budgets
    for (const [share, { used, chosen, excluded }] of Object.entries(budgets)) {
      expect(used, share).toBeLessThanOrEqual(1)
      expect([chosen > 0, excluded], share).toEqual([true, false])
    }
    expect(budgets['3'].chosen).toBeLessThan(budgets['25'].chosen)
    expect(budgets['3'].used).toBeGreaterThan(0.5)
    expect(first).toBe(true)
  })
})

const AGAIN = 'Remove the calibration folder, then run the same command again.'
const OTHER = 'Calibration clip clip 0 is of another model'

it.each([
  ['few', /^The calibration has 7 clips, wanted at least 8\.$/, /^Give --calibration a dataset with more/],
  ['silent', /^Calibration clip clip 0 has no positions to calibrate on\.$/, /^Leave the clip out\.$/],
  ['wide', new RegExp(`^${OTHER}: features of 256 .*wanted features of 128`), new RegExp(AGAIN)],
  ['token', new RegExp(`^${OTHER}: .* token 448, .* tokens below 448\\.$`), new RegExp(AGAIN)],
  ['offset', /has 20 audio features from position 34 on, which its prompt of 34 does not/, new RegExp(AGAIN)],
  ['format', /^The calibration in DIR has format 2, wanted 1\.$/, new RegExp(AGAIN)],
  ['none', /^The calibration in DIR\/clips cannot be read: .*No such file/, new RegExp(AGAIN)],
  ['release', /^The decoder's sizes cannot be read from DIR\/config\.json/, /^Give the folder of a release/],
  ['needs', /^The recipe needs a calibration\.$/, /^Give --calibration DIR\.$/],
  ['smooth', /^There is no smoothing smooth:1\.$/, /^Wanted smoothquant:A or awq:A, A from 0 to 1\.$/],
  ['table', /smooth, which changes lm_head, and embeddings: lm_head/, /^Leave one out\.$/],
  ['half', /^The recipe has smooth and f16: /, /^Leave smooth or f16 out\.$/],
  ['selector', /^There is no selector auto:x\.$/, /^Wanted auto:N%, such as auto:25%\.$/],
  ['budget', /^auto:0\.1% chooses no weight: /, /^Give a larger share, or leave the rule out\.$/],
  ['twice', /^A recipe has two rules of auto\.$/, /^Leave one out\.$/],
  ['hidden', /^DIR\/hidden\/00\.f32 is not complete\.$/, /continues where it was\.$/],
])('says what is wrong with a calibration or what needs one: %s', (name, message, hint) => {
  const [says, advises] = found.errors[name] ?? []
  expect(says).toMatch(message)
  expect(advises).toMatch(hint)
})
