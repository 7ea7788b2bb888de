// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { DATASET_NAMES, namedDataset } from '../../eval/dataset/named.ts'
import { NORMALIZER_NAMES } from '../../eval/normalize/normalizers.ts'
import { LANGUAGES } from '../../eval/runtime/languages.ts'
import type { EvaluateOptions } from '../../pipeline/evaluate/evaluation-options.ts'
import { makeProgress } from '../../pipeline/evaluate/evaluation-progress.ts'
import { runEvaluation } from '../../pipeline/evaluate/run-evaluation.ts'
import { startDatasetHub } from '../helpers/dataset-hub.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { bundledRows, speechParquet } from '../helpers/speech-parquet.ts'

async function optionsFor(datasets: readonly string[]): Promise<EvaluateOptions & { output: string }> {
  const [output, cache] = [await temporaryFolder(), await temporaryFolder()]
  return {
    ...{ models: [], engines: [`one:${process.execPath} -p 1 {wav}`], datasets, output, cache },
    selection: { sample: 'first', count: 1, seed: 1 },
    ...{ keepEmpty: false, maxDownload: 1e9, prompt: 'published', maxPieceSeconds: 60, stopLoops: true },
    ...{
      retry: false,
      engineTimeout: 60,
      threads: 1,
      workers: 1,
      batch: 1,
      isSteady: true,
      json: false,
    },
  }
}

/** The datasets of run.json, after a run with an engine that always hears "1". */
async function described(options: EvaluateOptions & { output: string }) {
  await runEvaluation(options, makeProgress(false), new AbortController().signal)
  return JSON.parse(await readFile(join(options.output, 'run.json'), 'utf8')).datasets
}

describe('the table of datasets', () => {
  it('has rows of known languages and normalizers, and no name that is not a row', () => {
    for (const name of DATASET_NAMES) {
      const { language, normalizer } = namedDataset(name) ?? {}
      expect(Object.keys(LANGUAGES)).toContain(language)
      expect(NORMALIZER_NAMES).toContain(normalizer)
    }
    expect(['constructor', '__proto__', 'toString'].map(namedDataset)).toEqual(Array(3).fill(undefined))
  })

  it('decides what an evaluation notes of a dataset; the user goes before it, and files have neither', async () => {
    const files = new Map([['sdm/test/0000.parquet', await speechParquet(await bundledRows(2), 2)]])
    const hub = await startDatasetHub({ repo: 'edinburghcstr/ami', files })
    vi.stubEnv('HF_ENDPOINT', hub.url)
    const options = await optionsFor(['ami-sdm', 'hub:edinburghcstr/ami/sdm/test'])
    const row = { repo: 'edinburghcstr/ami', config: 'sdm', split: 'test' }
    const [named, plain] = await described(options)
    expect(named).toMatchObject({
      name: 'ami-sdm',
      source: row,
      language: 'en',
      normalizer: 'whisper-english',
    })
    expect(plain).toMatchObject({ name: 'edinburghcstr/ami/sdm/test', source: row, normalizer: 'basic' })
    expect(plain).not.toHaveProperty('language')
    const [other] = await described({ ...options, normalizer: 'whisper-basic' })
    expect(other).toEqual({ ...named, normalizer: 'whisper-basic' })
    vi.unstubAllEnvs()
  })
})
