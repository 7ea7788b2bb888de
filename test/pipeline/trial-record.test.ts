// SPDX-License-Identifier: Apache-2.0

import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { addTrial, knownRun, readTrials, type TrialRecord } from '../../pipeline/lab/trial-record.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { trialRecord } from '../helpers/trial.ts'

const PRINTS = { recipe: 'r', fp32: 'f', clips: 'ten', code: 'c' }
const OTHER = { ...PRINTS, clips: 'twenty' }

function run(name: string, fingerprints: TrialRecord['fingerprints'], stepMs: number): TrialRecord {
  const { speed } = trialRecord(name)
  return trialRecord(name, { fingerprints, speed: { ...speed, stepMs } })
}

const all = () => true

it('a run of a trial is known on clips that were used before others', async () => {
  const paths = { work: await temporaryFolder() }
  expect(await knownRun(paths, 'mine', PRINTS, all)).toBeUndefined()
  const [first, second, forced] = [run('mine', PRINTS, 1), run('mine', OTHER, 2), run('mine', PRINTS, 3)]
  await addTrial(paths, first)
  await addTrial(paths, second)
  await appendFile(join(paths.work, 'trials', 'trials.jsonl'), '{"name":"mine","rec')
  expect(await readTrials(paths)).toEqual([second])
  expect(await knownRun(paths, 'mine', PRINTS, all)).toEqual({ record: first, isLast: false })
  expect(await knownRun(paths, 'mine', OTHER, all)).toEqual({ record: second, isLast: true })
  const renamed = { ...first, name: 'yours', fidelity: { ...first.fidelity, variant: 'yours' } }
  expect(await knownRun(paths, 'yours', PRINTS, all)).toEqual({ record: renamed, isLast: false })
  expect(await knownRun(paths, 'mine', { ...PRINTS, calibration: 'k' }, all)).toBeUndefined()
  expect(await knownRun(paths, 'mine', PRINTS, ({ wer }) => wer !== undefined)).toBeUndefined()

  await addTrial(paths, forced)
  await addTrial(paths, run('yours', OTHER, 4))
  expect(await knownRun(paths, 'mine', PRINTS, all)).toEqual({ record: forced, isLast: true })
})
