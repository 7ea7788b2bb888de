import type { Selection } from '../../eval/dataset/utterance.ts'
import type { NormalizerName } from '../../eval/normalize/normalizers.ts'
import type { PrefillKind } from '../../eval/runtime/graphs.ts'
import type { PromptStyle } from '../../eval/runtime/prompt.ts'

/** Which release directory and variant, under which name. */
export interface ModelSpec {
  readonly name: string
  readonly folder: string
  readonly variant: string
}

/** One evaluation's options, as the command line gives them. */
export interface EvaluateOptions {
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
  readonly language?: string
  readonly context?: string
  readonly prompt: PromptStyle
  /** of each piece; undefined: what its length allows */
  readonly maxNewTokens?: number
  readonly maxPieceSeconds: number
  readonly stopLoops: boolean
  readonly retry: boolean
  /** seconds that an engine's command may take for one clip */
  readonly engineTimeout: number
  readonly threads: number
  readonly provider: string
  /** undefined: int8 where the release has it */
  readonly prefill?: PrefillKind
  /** sequences that each worker decodes together */
  readonly batch: number
  /** transcripts do not depend on the batch */
  readonly isSteady: boolean
  readonly workers: number
  /** undefined: by dataset, under output/evaluation or where this user can write */
  readonly output?: string
  /** undefined: output/.cache, or where this user can write */
  readonly cache?: string
}
