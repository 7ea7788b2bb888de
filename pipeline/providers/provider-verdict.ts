// SPDX-License-Identifier: Apache-2.0

import { FP32 } from '../../eval/runtime/graphs.ts'
import type { ProviderTolerance } from '../../eval/runtime/providers.ts'
import type { HeardClip } from './heard-clip.ts'

/** How a variant on a provider stands beside the same on the processor. */
export interface Verdict {
  readonly isRight: boolean
  /** clips whose transcripts differ, of how many */
  readonly changed: number
  readonly of: number
  /** share that may */
  readonly limit: number
  /** largest absolute differences over all clips; undefined where nothing was compared */
  readonly features?: number
  readonly logits?: number
  /** why it is wrong, a sentence each */
  readonly reasons: readonly string[]
}

/**
 * FP32 must compute what the processor does, within the provider's row; every variant must write the same transcripts, except
 * the share that the row allows.
 * @param found fewer than `wanted` with a problem
 */
export function judgeProvider(
  variant: string,
  found: readonly HeardClip[],
  wanted: readonly HeardClip[],
  tolerance: ProviderTolerance,
  problem: string | undefined,
): Verdict {
  const of = wanted.length
  const limit = tolerance.transcripts ?? 0
  const changed = wanted.filter((clip, i) => found[i]?.text !== clip.text).length
  const differences = found.flatMap(({ difference }) => (difference ? [difference] : []))
  const worst = (key: 'features' | 'logits') => differences.reduce((most, one) => largest(most, one[key]), 0)
  const [features, logits] = [worst('features'), worst('logits')]
  const broken = problem ?? differences.find((one) => one.problem !== undefined)?.problem
  const reasons = [
    ...(broken === undefined ? [] : [broken]),
    ...(changed > limit * of ? [`${changed} of ${of} transcripts differ from the processor's`] : []),
    ...(variant === FP32 ? beyond('audio features', features, tolerance.features) : []),
    ...(variant === FP32 ? beyond('logits', logits, tolerance.logits) : []),
  ]
  const compared = differences.length > 0 ? { features, logits } : {}
  return { isRight: reasons.length === 0, changed, of, limit, ...compared, reasons }
}

/** A value that is not a number is larger than any other: JSON between processes has null for it. */
function largest(a: number, b: number | null): number {
  return b === null || Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b)
}

function beyond(what: string, found: number, limit: number): string[] {
  if (found <= limit) return []
  return [`${what} differ by ${found.toExponential(1)}, wanted at most ${limit.toExponential(0)}`]
}
