// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { FP32 } from '../../eval/runtime/graphs.ts'
import { type Parsed, section, text } from '../../eval/runtime/schema.ts'
import { FIDELITIES } from './fidelity-schema.ts'
import { GATE_RESULTS, type GateResult } from './gate-result.ts'

const DEVICE = section({ provider: text, device: v.optional(text) })

/** A provider, and the device that it computed with. */
export type ProviderDevice = Parsed<typeof DEVICE>

/** What the validation stage has left. Sections of older versions have no `gates`: nothing counts as measured. */
export const PARITY = section({
  gates: v.optional(GATE_RESULTS, []),
  devices: v.optional(v.array(DEVICE), []),
  fidelity: v.optional(FIDELITIES, []),
  reference: v.optional(v.record(v.string(), text), {}),
})

/** The fingerprint of the FP32 files that results are of. */
export function fp32Of(gates: readonly GateResult[]): string | undefined {
  return gates.find(({ variant }) => variant === FP32)?.fingerprints[FP32]
}
