// SPDX-License-Identifier: Apache-2.0

import { quantile } from '../eval/bootstrap.ts'

/** NaN of none, and where one is missing. */
export function median(values: readonly (number | undefined)[]): number {
  if (values.includes(undefined)) return Number.NaN
  return quantile(Float64Array.from(values as readonly number[]).sort(), 0.5)
}
