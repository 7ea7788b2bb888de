// SPDX-License-Identifier: Apache-2.0

import type { Emit, StepName } from './events.ts'

/** Run the one thing that a command does, reported as the pipeline reports its stages. */
export async function asStep<T>(
  { step, of, output, emit }: { step: StepName; of: string; output: string; emit: Emit },
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  emit({ event: 'start', model: of, output, stages: [step] })
  emit({ event: 'stage-start', stage: step })
  const result = await work()
  emit({ event: 'stage-done', stage: step, seconds: (performance.now() - started) / 1000 })
  return result
}
