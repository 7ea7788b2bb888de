// SPDX-License-Identifier: Apache-2.0

import { megabytes, percent } from '../../eval/report/number-text.ts'
import type { Fidelity } from './fidelity-schema.ts'

/** Columns of a table of fidelity for a log. */
export const FIDELITY_COLUMNS = [
  ...['variant', 'changed', 'KLD', 'interval', 'ratio'],
  ...['median', 'p99', 'max', 'top-1', 'cosine', 'files'],
] as const

/** One row for each variant and provider. */
export function fidelityRows(fidelity: readonly Fidelity[]): string[][] {
  const providers = new Set(fidelity.map(({ provider }) => provider))
  return fidelity.map((one) => {
    const { variant, provider, kld, top1, cosine, ratio, bytes } = one
    return [
      providers.size > 1 ? `${variant}, ${provider}` : variant,
      ...[changedOf(one), nats(kld.mean), rangeOf(kld)],
      ratioOf(ratio),
      ...[kld.median, kld.p99, kld.max].map(nats),
      ...[top1 === null ? '-' : percent(top1), cosine === null ? '-' : cosine.toFixed(5), megabytes(bytes)],
    ]
  })
}

/** "2 of 70"; with what was not seen. */
export function changedOf({ changed, clips, cut, problem }: Fidelity): string {
  if (problem !== undefined) return 'not known'
  return `${changed} of ${clips}${cut > 0 ? ` (${cut} more cut off)` : ''}`
}

/** Two digits that count, as a decimal fraction where that is short. */
export function nats(value: number | null): string {
  if (value === null) return '-'
  if (value === 0) return '0'
  return value < 1e-6 ? value.toExponential(1) : Number(value.toPrecision(2)).toFixed(decimalsOf(value))
}

/** An interval as tables show it. @param write of one end; nats by default */
export function rangeOf(
  { low, high }: { readonly low: number | null; readonly high: number | null },
  write: (value: number | null) => string = nats,
): string {
  return low === null || high === null ? '-' : `${write(low)} to ${write(high)}`
}

/** "0.29 (0.22 to 0.38)", a multiple of another variant's mean divergence. */
export function ratioOf(ratio: Fidelity['ratio']): string {
  if (ratio === undefined || ratio.mean === null) return '-'
  return ratio.low === null ? multiple(ratio.mean) : `${multiple(ratio.mean)} (${rangeOf(ratio, multiple)})`
}

function multiple(value: number | null): string {
  if (value === null) return '-'
  if (value < 0.001) return '0.00'
  return value < 0.1 ? value.toFixed(decimalsOf(value)) : value.toFixed(2)
}

/** Of two digits that count. */
function decimalsOf(value: number): number {
  return Math.max(0, 1 - Math.floor(Math.log10(Number(value.toPrecision(2)))))
}
