// SPDX-License-Identifier: Apache-2.0

import { availableParallelism } from 'node:os'
import type { Selection } from '../../eval/dataset/utterance.ts'
import type { NormalizerName } from '../../eval/normalize/normalizers.ts'
import { MAX_PIECE_SECONDS } from '../../eval/runtime/limits.ts'
import type { RecognizeOptions } from '../../eval/runtime/recognize.ts'
import type { ModelOptions } from '../../eval/system.ts'

/** Which release directory and variant on which provider, under which name. */
export type ModelSpec = Pick<ModelOptions, 'name' | 'folder' | 'variant' | 'provider'>

/** What the command line has a value for, given or not. */
type Decided = 'prompt' | 'maxPieceSeconds' | 'stopLoops'

/** One evaluation's options, as the command line gives them. */
export interface EvaluateOptions
  extends Omit<RecognizeOptions, Decided>,
    Required<Pick<RecognizeOptions, Decided>>,
    Pick<ModelOptions, 'threads' | 'prefill' | 'batch' | 'isSteady' | 'workers'> {
  readonly models: readonly ModelSpec[]
  /** NAME:COMMAND with {wav} */
  readonly engines: readonly string[]
  readonly datasets: readonly string[]
  readonly selection: Selection
  /** undefined: that of the dataset, basic where it has none */
  readonly normalizer?: NormalizerName
  readonly textColumn?: string
  readonly audioColumn?: string
  /** utterances without a reference are measured too */
  readonly keepEmpty: boolean
  /** bytes */
  readonly maxDownload: number
  readonly retry: boolean
  /** seconds that an engine's command may take for one clip */
  readonly engineTimeout: number
  /** undefined: by dataset, under output/evaluation or where this user can write */
  readonly output?: string
  /** file of lists, or `manifest`; each model is measured with them, too */
  readonly hotwords?: string
  /** undefined: output/.cache, or where this user can write */
  readonly cache?: string
}

/** What an evaluation does that says nothing else. */
export const USUAL_EVALUATION = {
  engines: [],
  keepEmpty: false,
  retry: false,
  /** seconds */
  engineTimeout: 600,
  /** bytes */
  maxDownload: 1e9,
  seed: 1,
  prompt: 'published',
  maxPieceSeconds: MAX_PIECE_SECONDS,
  stopLoops: true,
  isSteady: true,
  batch: 1,
} as const

/** Threads of onnxruntime for each worker, where nobody chose: all cores, divided by the workers. */
export function usualThreads(workers: number): number {
  return Math.max(1, Math.floor(availableParallelism() / workers))
}

/** What a model with lists of hotwords is named in tables. */
export function withHotwords(name: string): string {
  return `${name} + hotwords`
}
