// SPDX-License-Identifier: Apache-2.0

import { quantile } from '../../eval/bootstrap.ts'
import type { LogitsGate } from './gate.ts'
import { meanOf, positionsOf } from './position.ts'

/**
 * How much of what FP32 says of the next token is lost, at every position along the reference tokens. Unlike a word error
 * rate it sees changes that turn no word on the clips available, so it ranks variants on few of them.
 */
export const kld: LogitsGate = {
  kind: 'logits',
  on: 'utterances',
  about: "the divergence of the next token's distribution from FP32's",
  figures: (ways, limits) =>
    ways.flatMap((way) =>
      Object.entries(limits).map(([name, limit]) => ({ ...way, gate: `kld ${name}`, unit: 'nats', limit })),
    ),
  judge: (measured, limits) =>
    measured.flatMap(({ way, clips, problem }) => {
      const values = positionsOf(clips).map((position) => position.kld)
      return Object.entries(limits).map(([name, limit]) => ({
        ...{ ...way, gate: `kld ${name}`, unit: 'nats' as const, limit },
        found: STATISTICS[name]?.(values) ?? Number.NaN,
        ...(problem === undefined ? { note: `${values.length} positions` } : { problem }),
      }))
    }),
}

/** What limits may be set for. */
const STATISTICS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  mean: meanOf,
  p99: (values) => quantile(Float64Array.from(values).sort(), 0.99),
}
