// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import { folderDataset } from '../../eval/dataset/folder-dataset.ts'
import type { Dataset } from '../../eval/dataset/utterance.ts'
import { NORMALIZER_NAMES } from '../../eval/normalize/normalizers.ts'
import { makeReport, type Report } from '../../eval/report/report.ts'
import { readResults } from '../../eval/result-file.ts'
import { readRun } from '../../eval/run-description.ts'
import { SpeechError } from '../../eval/runtime/speech-error.ts'
import { ownEvaluation, RESULTS, RUN } from '../evaluate/result-files.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import type { Run } from './stage.ts'

/* The evaluation that belongs to a model directory: what the stage measures, and what its figures are made of. */

/** Whether a run measures the bundled speech. */
export function isBundled(run: Run): boolean {
  return run.options.speech === BUNDLED_SPEECH
}

/** Name of a run's speech as a dataset. */
export function speechName(run: Run): string {
  return isBundled(run) ? 'held-out' : basename(run.options.speech)
}

/** All utterances of the speech that a run measures on. */
export async function ownSpeech(run: Run): Promise<Dataset> {
  const selection = { sample: 'all', count: Number.POSITIVE_INFINITY, seed: 0 } as const
  const speech = await folderDataset(run.options.speech, selection, {
    cache: join(run.paths.work, 'datasets'),
  })
  return { ...speech, name: speechName(run) }
}

const made = new WeakMap<Run, Promise<Report>>()

/** The figures of what the evaluation stage has measured, made once in a run: intervals take seconds for much speech. */
export function ownReport(run: Run): Promise<Report> {
  const report = made.get(run) ?? readReport(ownEvaluation(run.paths))
  made.set(run, report)
  return report
}

async function readReport(folder: string): Promise<Report> {
  const run = await readRun(join(folder, RUN))
  if (run === undefined)
    throw new SpeechError(`${join(folder, RUN)} is missing.`, 'Run the stage again: --from evaluate')
  return makeReport(run, await readResults(join(folder, RESULTS)), NORMALIZER_NAMES)
}
