// SPDX-License-Identifier: Apache-2.0

import { MEL_TOLERANCE } from '../../eval/parity.ts'
import type { SlotComparison } from '../../eval/slot-parity.ts'
import type { Finding, SlotsGate, Tolerance, Unit, WaySlots } from './gate.ts'

/** Everything that a forced aligner must compute as PyTorch does, up to the times of its slots. */
export const slotParity: SlotsGate = {
  kind: 'slots',
  about: 'the largest absolute difference from PyTorch, or the number of ids, classes and times that differ',
  figures: (ways, _, tolerance) =>
    ways.flatMap((way) =>
      checksOf(tolerance).map(({ gate, unit, limit }) => ({ ...way, gate, unit, limit })),
    ),
  judge: (measured, _, tolerance) =>
    measured.flatMap(({ way, clips }) =>
      checksOf(tolerance).map(({ key, ...check }) => ({ ...way, ...check, ...worstOf(clips, key) })),
    ),
}

/** What a variant's smaller weights do to the times of what is said: those of other texts are nowhere in the recording. */
export const moved: SlotsGate = {
  kind: 'slots',
  about:
    "how many slots of what is said have another time than FP32's, and by how many milliseconds the times of all moved",
  figures: (ways, limits) =>
    ways.flatMap((way) =>
      STATISTICS.map(({ name, ...rest }) => ({ ...way, ...rest, limit: limits[name] ?? 0 })),
    ),
  judge: (measured, limits) =>
    measured.flatMap(({ way, clips }) => {
      const problem = clips.find((clip) => clip.problem !== undefined)
      const said = clips.filter(({ isUtterance }) => isUtterance)
      const slots = sum(said, 'slots')
      return STATISTICS.map(
        ({ name, of, ...rest }): Finding => ({
          ...{ ...way, ...rest, limit: limits[name] ?? 0, found: sum(said, of) / slots },
          ...{ clips: said.length, note: `${slots} slots` },
          ...(problem && { problem: `${problem.clip}: ${problem.problem}` }),
        }),
      )
    }),
}

/** Names of the figures of {@link moved}. */
export const MOVES = { share: 'slots moved', mean: 'mean move' } as const

const STATISTICS = [
  { name: 'share', gate: MOVES.share, unit: 'share', of: 'times' },
  { name: 'mean', gate: MOVES.mean, unit: 'milliseconds', of: 'movedMs' },
] as const

interface SlotCheck {
  readonly gate: string
  readonly key: 'mel' | 'features' | 'units' | 'ids' | 'logits' | 'classes' | 'times'
  readonly unit: Unit
  readonly limit: number
}

function checksOf({ features, logits }: Tolerance): SlotCheck[] {
  return [
    { gate: 'mel', key: 'mel', unit: 'number', limit: MEL_TOLERANCE },
    { gate: 'features', key: 'features', unit: 'number', limit: features },
    { gate: 'units', key: 'units', unit: 'count', limit: 0 },
    { gate: 'prompt ids', key: 'ids', unit: 'count', limit: 0 },
    { gate: 'slot logits', key: 'logits', unit: 'number', limit: logits },
    { gate: 'slot classes', key: 'classes', unit: 'count', limit: 0 },
    { gate: 'slot times', key: 'times', unit: 'count', limit: 0 },
  ]
}

function worstOf(clips: WaySlots['clips'], key: SlotCheck['key']) {
  const [first, ...others] = clips
  if (first === undefined) return { found: Number.NaN, problem: 'no clip was compared' }
  const worst = others.reduce((a, b) => (b[key] > a[key] || Number.isNaN(b[key]) ? b : a), first)
  const problem = Number.isNaN(worst[key]) ? (worst.problem ?? 'not a number') : undefined
  const found = { found: worst[key], clips: clips.length, worstClip: worst.clip }
  return problem === undefined ? found : { ...found, problem }
}

function sum(clips: readonly SlotComparison[], key: 'slots' | 'times' | 'movedMs'): number {
  return clips.reduce((total, clip) => total + clip[key], 0)
}
