// SPDX-License-Identifier: Apache-2.0

import type { NextStep } from './next-steps.ts'
import type { StageName } from './stage-names.ts'

/** Stages of the pipeline, and what other commands do. */
export type StepName = StageName | 'verify'

/** Everything a run reports; one reporter prints it, or `--json` passes it on line by line. */
export type Event =
  | {
      readonly event: 'start'
      readonly model: string
      readonly output: string
      readonly stages: readonly StepName[]
    }
  | { readonly event: 'stage-start'; readonly stage: StepName }
  | { readonly event: 'stage-skip'; readonly stage: StepName; readonly reason: string }
  | { readonly event: 'stage-done'; readonly stage: StepName; readonly seconds: number }
  | {
      readonly event: 'progress'
      readonly what: string
      readonly done: number
      readonly total: number
      readonly unit: string
      /** where it is known how fast it goes */
      readonly perSecond?: number
      readonly secondsLeft?: number
    }
  | { readonly event: 'note'; readonly text: string }
  | {
      readonly event: 'table'
      readonly title: string
      readonly columns: readonly string[]
      readonly rows: readonly (readonly string[])[]
    }
  | { readonly event: 'failure'; readonly message: string; readonly hint: string; readonly exitCode: number }
  | {
      readonly event: 'done'
      readonly seconds: number
      /** where the result is */
      readonly release?: string
      /** what to open or to run next */
      readonly next?: readonly NextStep[]
    }

/** Called with each event, in their order. */
export type Emit = (event: Event) => void
