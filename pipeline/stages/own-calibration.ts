// SPDX-License-Identifier: Apache-2.0

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { folderDataset } from '../../eval/dataset/folder-dataset.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import { type Calibration, calibrate } from '../quantize/calibration.ts'
import { readSpeech } from '../quantize/calibration-clips.ts'
import { needsCalibration } from '../recipes.ts'
import { recipeOf } from '../variants.ts'
import { pythonOptions } from './export-stage.ts'
import type { Run } from './stage.ts'
import { identifyFolder } from './stamp.ts'

/* The calibration of a run: made when a recipe of its variants looks at what the weights meet. */

/**
 * Make or find the calibration that the recipes of a run need.
 * @returns undefined when no recipe needs one, or there is no FP32 decoder to ask
 */
export async function ownCalibration(run: Run): Promise<Calibration | undefined> {
  const { calibration, calibrationClips, threads, skipEncoder, skipDecoder } = run.options
  if (!isCalibrated(run.options) || skipEncoder || skipDecoder) return undefined
  return calibrate({
    ...{ dataset: calibration, clips: calibrationClips, threads, judged: await judgedClips(run) },
    ...{ model: run.paths.model, work: run.paths.work, emit: run.emit, signal: run.signal },
    python: await pythonOptions(run, 'calibrate'),
  })
}

/** What the quantize stage depends on; a dataset of the hub by its name alone. */
export async function calibrationInputs({ options }: Run): Promise<object> {
  if (!isCalibrated(options)) return {}
  const { calibration: dataset, calibrationClips: clips } = options
  const isHere = (await stat(dataset).catch(() => undefined)) !== undefined
  return { calibration: { dataset, clips, ...(isHere && { content: await identifyFolder(dataset) }) } }
}

function isCalibrated(options: Run['options']): boolean {
  return options.variants.some((name) => {
    const recipe = recipeOf(name, options)
    return recipe !== undefined && needsCalibration(recipe)
  })
}

/** Of validation and of the run's own evaluation: sha256 of samples, with a name. */
async function judgedClips({ options, paths, signal }: Run): Promise<Map<string, string>> {
  const judged = new Map<string, string>()
  for (const folder of new Set([BUNDLED_SPEECH, options.speech])) {
    const selection = { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 0 } as const
    const dataset = await folderDataset(folder, selection, { cache: join(paths.work, 'datasets') })
    for (const { id, sha256 } of await readSpeech(dataset, signal, () => undefined))
      judged.set(sha256, `${id} of ${dataset.name}`)
  }
  return judged
}
