// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import * as v from 'valibot'
import { readChecked } from '../../eval/checked-json.ts'
import { count, list, number, type Parsed, shape, text } from '../../eval/runtime/schema.ts'
import { checkedResult, runPython } from '../python/run-python.ts'
import { findPython } from '../python/venv.ts'
import { calibrate } from '../quantize/calibration.ts'
import type { Emit } from '../shared/events.ts'
import { Failure } from '../shared/failure.ts'
import { takeLock } from '../shared/lock.ts'
import { writeText } from '../shared/output-files.ts'
import { requireWritable } from '../shared/writable.ts'
import { fp32Release } from './fp32-release.ts'
import { scanPage } from './scan-page.ts'

/** What `npm run quantize -- scan` was given. */
export interface ScanOptions {
  readonly modelDir?: string
  /** dataset to measure on, and clips of it */
  readonly calibration: string
  readonly calibrationClips: number
  /** format whose cost is measured */
  readonly low: string
  /** format that `auto:N%` gives to some weights */
  readonly high: string
  /** by default after the size of the model */
  readonly method?: 'scan' | 'gradient'
  readonly threads: number
  readonly python?: string
}

const WEIGHT = shape({
  name: text,
  /** null: the output layer, which belongs to none */
  layer: v.nullable(count),
  role: text,
  /** nats, mean over the positions that predict the answers */
  kld: number,
  /** with scales and zero points */
  bytesLow: count,
  bytesHigh: count,
})
/** One weight of the decoder, and what it costs. */
export type WeightCost = Parsed<typeof WEIGHT>
const SENSITIVITIES = shape({
  method: v.picklist(['scan', 'gradient'], '"scan" or "gradient"'),
  ...{ low: text, high: text, weights: list(WEIGHT) },
})
/** The weights that get the high format when their added bytes are within a share of the low format's. */
const CHOICE = shape({ share: number, names: list(text) })
const RESULT = v.looseObject({ file: text, choices: list(CHOICE) })

/** What a scan found. */
export interface WeightScan extends Parsed<typeof SENSITIVITIES> {
  readonly choices: readonly Parsed<typeof CHOICE>[]
  readonly calibration: { readonly name: string; readonly clips: number; readonly positions: number }
}

const SCRIPT = 'quantize/sensitivity.py'
/** Budgets that are shown. */
const SHARES = [0.1, 0.25, 0.5]

/**
 * Measure what each weight of the decoder costs in the low format. Calibration and costs are kept, and read again by
 * recipes with `auto:N%`; the page is written beside the trials.
 * @throws Failure for the folder, the speech to calibrate on, or a format that does not fit a weight
 */
export async function scanWeights(
  options: ScanOptions,
  { emit, signal }: { readonly emit: Emit; readonly signal: AbortSignal },
): Promise<{ readonly found: WeightScan; readonly page: string }> {
  const { low, high, method, threads, python: given } = options
  const paths = await fp32Release(options.modelDir)
  const { model, work } = paths
  await requireWritable(work, 'The folder', 'Copy the release to a folder that you can write.')
  const release = await takeLock(join(work, 'lock'), model)
  try {
    const { path } = await findPython({ emit, signal, ...(given && { python: given }) })
    const python = (log: string): Parameters<typeof runPython>[2] => ({
      ...{ python: path, log: paths.log(log), signal },
      onProgress: (progress) => emit({ ...progress, event: 'progress' }),
    })
    const { folder, index } = await calibrate({
      ...{ dataset: options.calibration, clips: options.calibrationClips },
      ...{ model, work, threads, python: python('scan-calibration'), emit, signal },
      judged: new Map(),
    })
    const result = await runPython(
      SCRIPT,
      [
        ...['--model', model, '--calibration', folder, '--low', low, '--high', high],
        ...(method === undefined ? [] : ['--method', method]),
        ...['--shares', ...SHARES.map(String)],
      ],
      python('scan'),
    )
    const { file, choices } = checkedResult(RESULT, result, SCRIPT)
    const costs = await readChecked(SENSITIVITIES, file, 'Remove the file, then run the same command again.')
    if (costs === undefined)
      throw new Failure(
        `${file} is missing, wanted what python/${SCRIPT} found.`,
        'Run the same command again.',
      )
    const { dataset, clips, positions } = index
    const calibration = { name: String(dataset['name']), clips: clips.length, positions }
    const found: WeightScan = { ...costs, choices, calibration }
    const page = join(work, 'trials', 'scan.html')
    await writeText(page, await scanPage(found))
    return { found, page }
  } finally {
    await release()
  }
}
