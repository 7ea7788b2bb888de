// SPDX-License-Identifier: Apache-2.0

import type { Selection } from '../../eval/dataset/utterance.ts'
import type { NormalizerName } from '../../eval/normalize/normalizers.ts'
import type { UtteranceRecord } from '../../eval/record.ts'
import type { Report } from '../../eval/report/report.ts'
import { defined } from '../../eval/runtime/defined.ts'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { languageName } from '../../eval/runtime/languages.ts'
import { missingPackage, requirePeers } from '../../eval/runtime/missing-package.ts'
import { USUAL_PROVIDER } from '../../eval/runtime/providers.ts'
import { USUAL_EVALUATION, usualThreads } from './evaluation-options.ts'

/* What other programs import as `qwen3-asr-onnx/evaluate`. */

export type { Report, UtteranceRecord }

/** A variant of a release to measure. */
export interface EvaluatedModel {
  /** in tables; no two the same */
  readonly name: string
  /** of the release */
  readonly folder: string
  /** `fp32` by default */
  readonly variant?: string
  /** execution provider of onnxruntime; `cpu` by default */
  readonly provider?: string
}

/** What an evaluation measures and how; the default follows each option. */
export interface EvaluateOptions {
  readonly models: readonly EvaluatedModel[]
  /** names as of `--datasets`: `librispeech-other`, `hub:owner/name/config/split`, a folder, a manifest */
  readonly datasets: readonly string[]
  /** how many utterances of each dataset; all by default */
  readonly count?: number
  /** which ones: the first as they stand, or a seeded choice, which is the default */
  readonly sample?: 'first' | 'seeded'
  /** of that choice; 1 */
  readonly seed?: number
  /** of onnxruntime, for each worker; all cores, divided by the workers */
  readonly threads?: number
  /** utterances at a time, each with sessions of its own; 1 */
  readonly workers?: number
  /** utterances that each worker decodes together; 1 */
  readonly batch?: number
  /** name, ISO code or BCP 47 tag that is forced; detected by default */
  readonly language?: string
  /** words that may occur */
  readonly context?: string
  /** of the tables; that of the named dataset by default, `basic` for others */
  readonly normalizer?: NormalizerName
  /** refuse to fetch more bytes than this; 1e9 */
  readonly maxDownload?: number
  /** folder of the results, where a later call continues; `output/evaluation/...` by default */
  readonly output?: string
  /** folder of fetched audio */
  readonly cache?: string
  readonly signal?: AbortSignal
  /** called with each utterance as it is measured */
  readonly onRecord?: (record: UtteranceRecord) => void
  /** called with sentences about the work */
  readonly onNote?: (text: string) => void
}

/** What was measured, and where it was written. */
export interface Evaluation {
  readonly report: Report
  /** with run.json, results.jsonl, results.csv, report.json and report.html */
  readonly output: string
}

/**
 * Measure word error rate, speed and memory of finished models on speech. What an earlier call has measured in the same folder is kept.
 * @throws SpeechError for what cannot be measured, with a `hint`: wrong names, files that cannot be read, packages that are not installed
 * @throws the signal's reason when it is aborted
 */
export async function evaluate(options: EvaluateOptions): Promise<Evaluation> {
  requirePeers()
  const { onRecord, onNote, signal = new AbortController().signal } = options
  const quiet = () => {}
  const progress = {
    ...{ begin: quiet, finish: quiet, close: quiet },
    add: (record: UtteranceRecord) => onRecord?.(record),
    note: (text: string) => onNote?.(text),
  }
  try {
    const { runEvaluation } = await import('./run-evaluation.ts')
    return await runEvaluation(choicesOf(options), progress, signal)
  } catch (error) {
    throw missingPackage(error) ?? error
  }
}

function choicesOf(options: EvaluateOptions) {
  const { models, datasets, language, workers = 1, threads } = options
  const { batch, context, normalizer, maxDownload, output, cache } = options
  return {
    ...USUAL_EVALUATION,
    ...defined({ batch, context, normalizer, maxDownload, output, cache }),
    ...{ datasets, workers },
    models: models.map(({ name, folder, variant = FP32, provider = USUAL_PROVIDER }) => ({
      ...{ name, folder, variant, provider },
    })),
    selection: selectionOf(options),
    ...(language === undefined ? {} : { language: languageName(language) }),
    threads: threads ?? usualThreads(workers),
  }
}

function selectionOf({ count, sample = 'seeded', seed = USUAL_EVALUATION.seed }: EvaluateOptions): Selection {
  if (count === undefined) return { sample: 'all', count: Number.POSITIVE_INFINITY, seed }
  return { sample, count, seed }
}
