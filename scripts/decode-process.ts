// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { execa } from 'execa'
import type * as v from 'valibot'
import '../eval/runtime/no-telemetry.ts' // inherited by the process
import { number as figure, list, type Parsed, shape } from '../eval/runtime/schema.ts'
import { checkedText } from '../pipeline/shared/checked.ts'
import type { DecodeJob } from './bench-decode-job.ts'

/* bench-decode-job.ts in a separate process, and what it prints. Seconds and bytes. */

/** What a job of steps prints. */
export const STEPS_RESULT = shape({
  /** resident memory of a process with this decoder alone: once loaded, and after all steps of batch 1 */
  loaded: figure,
  used: figure,
  /** of one step, by past */
  steps: list(figure),
  /** of one step and sequence, by batch */
  batches: list(figure),
})
/** Seconds of each part of each utterance. */
export const UTTERANCE_RESULTS = list(shape({ encoder: figure, prefill: figure, decode: figure }))
/** What a job of utterances prints. */
export const WHOLE_RESULT = shape({
  /** until everything is ready for the first utterance */
  load: figure,
  /** the most that was resident */
  peak: figure,
  utterances: UTTERANCE_RESULTS,
})

/** What a job of steps has measured. */
export type StepResult = Parsed<typeof STEPS_RESULT>
/** What was measured of one utterance. */
export type UtteranceResult = Parsed<typeof UTTERANCE_RESULTS>[number]
/** What a job of utterances has measured. */
export type WholeResult = Parsed<typeof WHOLE_RESULT>

/**
 * Run a job of bench-decode-job.ts in a process of its own.
 * @param schema of what the job prints: STEPS_RESULT or WHOLE_RESULT
 */
export async function decodeInNode<Schema extends v.GenericSchema>(
  schema: Schema,
  job: DecodeJob,
): Promise<Parsed<Schema>> {
  const file = 'bench-decode-job.ts'
  const path = join(import.meta.dirname, file)
  const { stdout } = await execa(process.execPath, ['--import', 'tsx', path, JSON.stringify(job)])
  return checkedText(schema, stdout, { file: `What ${file} prints`, hint: '' })
}
