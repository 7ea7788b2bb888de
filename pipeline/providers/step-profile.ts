// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'

/** What one step of the decoder does on a provider. */
export interface StepProfile {
  /** operators that ran on the device, and on the processor, with how many of each */
  readonly device: number
  readonly processor: Readonly<Record<string, number>>
  /** copies that the graph makes inside of itself, to the device and back */
  readonly toDevice: number
  readonly toHost: number
  /** tensors that are passed from memory of the host and back, and their bytes */
  readonly fed: Crossing
  readonly fetched: Crossing
}

/** Tensors that pass between the program's memory and the device in one step. */
export interface Crossing {
  readonly tensors: number
  readonly bytes: number
}

const EVENTS = v.array(
  v.object({
    cat: v.optional(v.string()),
    name: v.optional(v.string()),
    ts: v.optional(v.number(), 0),
    dur: v.optional(v.number(), 0),
    args: v.optional(v.object({ op_name: v.optional(v.string()), provider: v.optional(v.string()) })),
  }),
)

/**
 * Read what onnxruntime's profile says of the last run of a session: one event for each operator.
 * @param text a profile as the session wrote it
 * @throws when it is not one, or has no run
 */
export function readProfile(text: string): Omit<StepProfile, 'fed' | 'fetched'> {
  const events = v.parse(EVENTS, JSON.parse(text))
  const run = events.findLast(({ name }) => name === 'model_run')
  if (run === undefined) throw new Error('The profile of the step has no run.')
  const nodes = events.flatMap(({ cat, ts, args }) =>
    cat === 'Node' && ts >= run.ts && ts <= run.ts + run.dur && args?.op_name !== undefined ? [args] : [],
  )
  const count = (name: string) => nodes.filter(({ op_name }) => op_name === name).length
  const [toDevice, toHost] = [count('MemcpyFromHost'), count('MemcpyToHost')]
  const processor: Record<string, number> = {}
  let device = 0
  for (const { op_name: name = '', provider } of nodes) {
    if (name.startsWith('Memcpy')) continue
    if (provider === 'CPUExecutionProvider') processor[name] = (processor[name] ?? 0) + 1
    else device++
  }
  return { device, processor, toDevice, toHost }
}
