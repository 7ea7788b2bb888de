// SPDX-License-Identifier: Apache-2.0

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fidelityPoints, identifyTrials } from '../../pipeline/release/fidelity-points.ts'
import type { Fidelity } from '../../pipeline/release/fidelity-schema.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { exampleReport } from '../helpers/report-records.ts'

const INT4: Fidelity = {
  ...{ variant: 'int4', provider: 'cpu', layout: 'fused', prefill: 'int8', clips: 3, positions: 40 },
  kld: { mean: 0.001, low: 0.0005, high: 0.002, median: 0, p99: 0.1, max: 0.2 },
  ...{ top1: 1, cosine: 1, changed: 0, cut: 0, bytes: 1e9 },
}

const TRIAL = {
  ...{ name: 'two-bits', recipe: {}, fingerprints: { fp32: 'aaaa', clips: 'x' } },
  fidelity: { ...INT4, variant: 'two-bits', kld: { ...INT4.kld, mean: 0.15 } },
  bytes: { decoder: 1, encoder: 2, embeddings: 3, total: 6e8 },
  speed: { stepMs: 25, promptMs: 100 },
}

async function workWith(...lines: readonly string[]): Promise<{ work: string }> {
  const work = await temporaryFolder()
  await mkdir(join(work, 'trials'))
  await writeFile(join(work, 'trials', 'trials.jsonl'), lines.join('\n'))
  return { work }
}

const namesOf = async (...trials: readonly object[]) => {
  const paths = await workWith(...trials.map((trial) => JSON.stringify(trial)))
  return (await fidelityPoints(paths, [INT4], [], 'aaaa')).map(({ name }) => name)
}

it('shows variants as the first provider runs them, with the speed of the evaluation', async () => {
  const report = exampleReport({ systems: ['int4'], datasets: ['clips'], count: 2, texts: () => ['a', 'a'] })
  const other = { ...INT4, provider: 'webgpu', kld: { ...INT4.kld, mean: 0.5 } }
  const unknown = { ...INT4, variant: 'q8', kld: { ...INT4.kld, mean: null } }
  const points = await fidelityPoints({ work: 'none' }, [INT4, other, unknown], [report], 'aaaa')
  const { tokensPerSecond } = report.rows[0]?.speed ?? {}
  expect(tokensPerSecond).toBeGreaterThan(0)
  const int4 = { name: 'int4', bytes: 1e9, kld: 0.001, low: 0.0005, high: 0.002 }
  expect(points).toEqual([{ ...int4, speed: tokensPerSecond, isTrial: false }])
  expect(await fidelityPoints({ work: 'none' }, [], [report], 'aaaa')).toEqual([])
})

it('shows the last trial of a name, with its steps as tokens per second', async () => {
  const first = { ...TRIAL, bytes: { total: 1 } }
  const paths = await workWith(JSON.stringify(first), 'null', '{"name": "cut', JSON.stringify(TRIAL), '')
  expect((await fidelityPoints(paths, [INT4], [], 'aaaa')).slice(1)).toEqual([
    { name: 'two-bits', bytes: 6e8, kld: 0.15, low: 0.0005, high: 0.002, speed: 40, isTrial: true },
  ])
})

it('leaves out trials of other files or utterances, and those that are variants now', async () => {
  expect(await namesOf(TRIAL)).toEqual(['int4', 'two-bits'])
  expect(await namesOf({ ...TRIAL, fingerprints: { fp32: 'bbbb' } })).toEqual(['int4'])
  expect(await namesOf({ ...TRIAL, fidelity: { ...TRIAL.fidelity, clips: 4 } })).toEqual(['int4'])
  expect(await namesOf({ ...TRIAL, fidelity: { ...TRIAL.fidelity, positions: 41 } })).toEqual(['int4'])
  expect(await namesOf({ ...TRIAL, name: 'int4' })).toEqual(['int4'])
  expect(await namesOf({ ...TRIAL, speed: null })).toEqual(['int4', 'two-bits'])
})

it('is another picture when a trial is added', async () => {
  expect(await identifyTrials({ work: 'none' })).toBeNull()
  const [one, other] = [
    await identifyTrials(await workWith('{}')),
    await identifyTrials(await workWith('{}', '')),
  ]
  expect(one).toMatch(/^[0-9a-f]{64}$/)
  expect(other).not.toBe(one)
})
