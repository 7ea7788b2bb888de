// SPDX-License-Identifier: Apache-2.0

import type { Dataset } from '../../eval/dataset/utterance.ts'
import { evaluate } from '../../eval/evaluation.ts'
import { describeMachine } from '../../eval/machine.ts'
import { releaseSystem } from '../../eval/release-system.ts'
import { openResults, type ResultFile } from '../../eval/result-file.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { scoreUtterance } from '../../eval/score.ts'
import type { System } from '../../eval/system.ts'
import { addErrors, NO_ERRORS, totalErrors, type WordErrors } from '../../eval/wer.ts'
import { fingerprintFiles, variantFilesOf } from '../evaluate/fingerprint.ts'
import type { Emit } from '../shared/events.ts'
import type { TrialRecord } from './trial-record.ts'

/** What WER is measured on, and where results are kept. */
export interface WerOptions {
  /** FP32's release, and that of the trial */
  readonly model: string
  readonly folder: string
  readonly variant: string
  readonly dataset: Dataset
  /** results.jsonl of all trials on these clips: FP32 is transcribed once */
  readonly results: string
  /** for hashes */
  readonly cache: string
  readonly threads: number
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** Word errors of a trial and of FP32 on the same clips, as `evaluate` counts them (normalizer basic). */
export async function measureWer(options: WerOptions): Promise<NonNullable<TrialRecord['wer']>> {
  const { dataset, threads, signal, emit } = options
  const fp32 = await systemOf(options, options.model, FP32)
  const trial = await systemOf(options, options.folder, options.variant)
  const results = await openResults(options.results)
  const counts = { done: 0, total: 0 }
  const machine = describeMachine(threads)
  for await (const event of evaluate([fp32, trial], [dataset], results, { machine, signal })) {
    if (event.event === 'loaded') Object.assign(counts, { done: 0, total: event.missing })
    if (event.event === 'utterance') counts.done++
    emit({ event: 'progress', what: `WER ${event.system.name}`, ...counts, unit: 'utterances' })
  }
  const [own, exact] = [errorsOf(results, trial, dataset), errorsOf(results, fp32, dataset)]
  return {
    ...{ errors: totalErrors(own), words: own.words },
    ...{ fp32Errors: totalErrors(exact), fp32Words: exact.words },
  }
}

async function systemOf({ cache, threads }: WerOptions, folder: string, variant: string): Promise<System> {
  const { paths, bytes } = await variantFilesOf(folder, variant)
  return releaseSystem({
    ...{ name: variant, folder, variant, bytes, provider: USUAL_PROVIDER, options: {} },
    ...{ threads, workers: 1, batch: 1, isSteady: true }, // as the defaults of npm run evaluate
    fingerprint: await fingerprintFiles(paths, cache),
  })
}

function errorsOf({ records }: ResultFile, { setting }: System, { name, keys }: Dataset): WordErrors {
  const wanted = new Set(keys)
  const byKey = new Map(
    records.flatMap((record) =>
      record.kind === 'utterance' &&
      record.dataset === name &&
      record.setting === setting &&
      wanted.has(record.key)
        ? [[record.key, scoreUtterance(record, 'basic').errors] as const]
        : [],
    ),
  )
  return [...byKey.values()].reduce(addErrors, NO_ERRORS)
}
