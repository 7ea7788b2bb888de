// SPDX-License-Identifier: Apache-2.0

import type { LoadAnswer, LoadQuestion } from './load-check.ts'
import { InferenceSession } from './onnxruntime.ts'

/** The child of load-check.ts: opens one graph after the other, and ends with its parent. */
process.on('message', async (question: LoadQuestion) => {
  const answer: LoadAnswer = await open(question)
  process.send?.(answer)
})
process.on('disconnect', () => process.exit())

async function open({ path, level }: LoadQuestion): Promise<LoadAnswer> {
  try {
    const session = await InferenceSession.create(path, {
      executionProviders: ['cpu'],
      graphOptimizationLevel: level,
      ...{ enableCpuMemArena: false, enableMemPattern: false, logSeverityLevel: 4 },
      // weights in another order are a copy of them all
      extra: { session: { disable_prepacking: '1' } },
    })
    await session.release()
    return {}
  } catch (error) {
    return { problem: (error as Error).message }
  }
}
