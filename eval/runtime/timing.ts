// SPDX-License-Identifier: Apache-2.0

/** Seconds spent in each part. */
export interface Timing {
  readonly mel: number
  readonly encoder: number
  readonly prefill: number
  readonly decode: number
}

/** Sum of all parts. */
export function workOf(timing: Partial<Timing>): number {
  return (timing.mel ?? 0) + (timing.encoder ?? 0) + (timing.prefill ?? 0) + (timing.decode ?? 0)
}
