// SPDX-License-Identifier: Apache-2.0

import type { LogitsGate } from './gate.ts'
import { meanOf, positionsOf } from './position.ts'

/**
 * All ways through a variant have the same weights: prompts in 8 bits, or another layout, must not cost what quantizing
 * does. A way loses what its mean cosine is below that of the best.
 */
export const ways: LogitsGate = {
  kind: 'logits',
  on: 'cuts',
  about:
    'what a way loses against the best one through the same weights, of the mean cosine of its logits with PyTorch',
  figures: (all, { cosine: limit }) =>
    all.map((way) => ({ ...way, gate: 'cosine loss', unit: 'number', limit })),
  judge(measured, { cosine: limit = 0 }) {
    const means = measured.map(({ clips }) => meanOf(positionsOf(clips).map(({ cosine }) => cosine)))
    const best = Math.max(...means.filter(Number.isFinite))
    return measured.map(({ way, problem }, i) => ({
      ...{ ...way, gate: 'cosine loss', unit: 'number', limit },
      found: best - (means[i] ?? Number.NaN),
      ...(problem === undefined ? { note: `mean cosine ${means[i]?.toFixed(5)}` } : { problem }),
    }))
  },
}
