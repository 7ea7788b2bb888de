import { quantile } from '../../eval/bootstrap.ts'
import type { LogitsGate } from './gate.ts'
import { meanOf } from './ways-gate.ts'

/**
 * How much of what FP32 says of the next token is lost: the Kullback-Leibler divergence of its distribution from that of
 * the variant, in nats, at every position along the reference tokens. Unlike a word error rate it sees changes that
 * turn no word on the clips at hand, so it ranks variants on few of them.
 */
export const kld: LogitsGate = {
  kind: 'logits',
  on: 'utterances',
  about: "the divergence of the next token's distribution from FP32's, in nats",
  figures: (ways, limits) =>
    ways.flatMap((way) =>
      Object.entries(limits).map(([name, limit]) => ({ ...way, gate: `kld ${name}`, limit })),
    ),
  position: divergence,
  judge: (measured, limits) =>
    measured.flatMap(({ way, values, problem }) =>
      Object.entries(limits).map(([name, limit]) => ({
        ...{ ...way, gate: `kld ${name}`, limit, found: STATISTICS[name]?.(values) ?? Number.NaN },
        ...(problem === undefined ? { note: `${values.length} positions` } : { problem }),
      })),
    ),
}

/** What limits may be set for. */
const STATISTICS: Readonly<Record<string, (values: readonly number[]) => number>> = {
  mean: meanOf,
  p99: (values) =>
    quantile(
      [...values].sort((a, b) => a - b),
      0.99,
    ),
}

/**
 * Of the distribution that FP32's logits give from that of a variant's, in nats.
 * @param found logits [V] @param wanted FP32's, of the same length
 */
export function divergence(found: Float32Array, wanted: Float32Array): number {
  const [own, reference] = [logSum(found), logSum(wanted)]
  let sum = 0
  for (let i = 0; i < wanted.length; i++) {
    const logP = (wanted[i] as number) - reference
    sum += Math.exp(logP) * (logP - (found[i] as number) + own)
  }
  return Math.max(0, sum) // rounding may leave it a little below
}

/** ln of the sum of e^x, without overflow. */
function logSum(logits: Float32Array): number {
  let largest = Number.NEGATIVE_INFINITY
  for (const value of logits) if (value > largest) largest = value
  let sum = 0
  for (const value of logits) sum += Math.exp(value - largest)
  return largest + Math.log(sum)
}
