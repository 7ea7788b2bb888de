// SPDX-License-Identifier: Apache-2.0

import type { StageName } from '../shared/stage-names.ts'

/** One run's options, as the command line gives them. */
export interface Options {
  readonly model: string
  /** of an adapter, in place of the base that it names */
  readonly base?: string
  readonly name?: string
  /** parent of the release's own folder */
  readonly output: string
  readonly stages: readonly StageName[]
  readonly force: boolean
  readonly keepIntermediate: boolean
  readonly python?: string
  readonly venv?: string
  readonly device: string
  readonly opset: number
  readonly skipEncoder: boolean
  readonly skipDecoder: boolean
  /** of what the row of each variant says */
  readonly blockSize?: number
  readonly accuracyLevel: number
  readonly symmetric: boolean
  /** variants of 4 bits have a graph for prompts with 8-bit products */
  readonly prefillInt8: boolean
  /** FP32 first: the others are made of it */
  readonly variants: readonly string[]
  /** dataset that recipes are calibrated on, as `npm run evaluate` names it */
  readonly calibration: string
  /** of it, at most */
  readonly calibrationClips: number
  /** that the release is validated for; speech is transcribed with the first */
  readonly providers: readonly string[]
  readonly speech: string
  readonly language?: string
  readonly context?: string
  /** of each piece of speech; undefined: what its length allows */
  readonly maxNewTokens?: number
  readonly threads: number
  readonly dryRun: boolean
  readonly repo?: string
  readonly json: boolean
  readonly debug: boolean
}
