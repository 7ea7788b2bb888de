// SPDX-License-Identifier: Apache-2.0

import type { Gate, Limits } from './gates/gate.ts'
import { kld } from './gates/kld-gate.ts'
import { parity } from './gates/parity-gate.ts'
import { moved, slotParity } from './gates/slot-gates.ts'
import { addedTimeError, timeError } from './gates/time-gate.ts'
import { transcripts } from './gates/transcripts-gate.ts'
import { ways } from './gates/ways-gate.ts'
import { addedWer, wer } from './gates/wer-gate.ts'

/** Everything that a variant can be made to pass, by the name that rows of variants have for it. */
export const GATES = {
  parity,
  ways,
  kld,
  wer,
  addedWer,
  transcripts,
  slotParity,
  moved,
  timeError,
  addedTimeError,
} as const satisfies Readonly<Record<string, Gate>>

/** The gates of a variant, with its own limits. */
export type GateLimits = Readonly<Partial<Record<keyof typeof GATES, Limits>>>

/** The gates of a row with their limits. */
export function gatesOf(limits: GateLimits): (readonly [Gate, Limits])[] {
  return Object.entries(limits).map(([name, own]) => [GATES[name as keyof typeof GATES], own])
}
