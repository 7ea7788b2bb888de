import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { addTrial, knownRun, readTrials, type TrialRecord } from '../../pipeline/lab/trial-record.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const PRINTS = { recipe: 'r', fp32: 'f', clips: 'ten', code: 'c' }
const OTHER = { ...PRINTS, clips: 'twenty' }

function run(name: string, fingerprints: TrialRecord['fingerprints'], stepMs: number): TrialRecord {
  const kld = { mean: 0.1, low: 0.1, high: 0.1, median: 0.1, p99: 0.1, max: 0.1 }
  const machine = {
    cpu: 'c',
    cores: 2,
    features: [],
    memoryGiB: 1,
    platform: 'p',
    node: '20',
    onnxruntime: '1',
  }
  return {
    ...{ name, recipe: { decoder: [['*', 'q4b32']] }, fingerprints, clips: [] },
    fidelity: {
      ...{
        variant: name,
        provider: 'cpu',
        layout: 'fused',
        prefill: 'same',
        clips: 3,
        positions: 30,
        bytes: 4,
      },
      ...{ kld, top1: 1, cosine: 1, changed: 0, cut: 0 },
    },
    bytes: { decoder: 1, encoder: 1, embeddings: 1, total: 4 },
    speed: {
      ...{ stepMs, promptMs: 2, encoderMs: 3, threads: 2 },
      machine: { ...machine, executionProvider: 'cpu', threads: 2, workers: 1 },
    },
  }
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
  expect(await knownRun(paths, 'yours', PRINTS, all)).toBeUndefined()
  expect(await knownRun(paths, 'mine', { ...PRINTS, calibration: 'k' }, all)).toBeUndefined()
  expect(await knownRun(paths, 'mine', PRINTS, ({ wer }) => wer !== undefined)).toBeUndefined()

  await addTrial(paths, forced)
  await addTrial(paths, run('yours', PRINTS, 4))
  expect(await knownRun(paths, 'mine', PRINTS, all)).toEqual({ record: forced, isLast: true })
})
