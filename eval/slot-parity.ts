// SPDX-License-Identifier: Apache-2.0

import { differenceOf, nonFinite } from './difference.ts'
import type { ReferenceArray } from './reference.ts'
import { type Aligner, slotClasses, slotTimes } from './runtime/aligner/aligner.ts'
import { alignerPrompt } from './runtime/aligner/aligner-prompt.ts'
import { unitsOf } from './runtime/aligner/units.ts'
import { logMel } from './runtime/mel.ts'
import type { SlotReference } from './slot-reference.ts'

/* A forced aligner's release against PyTorch, stage by stage. */

/** How far one way through a forced aligner is from PyTorch, of one clip and its text. */
export interface SlotComparison {
  readonly clip: string
  /** whether the text is what is said: only then its times mean something */
  readonly isUtterance: boolean
  readonly slots: number
  /** largest absolute differences; NaN with a problem */
  readonly mel: number
  readonly features: number
  readonly logits: number
  /** how many differ */
  readonly units: number
  readonly ids: number
  readonly classes: number
  readonly times: number
  /** milliseconds that the times of all slots moved, the sum of absolute values */
  readonly movedMs: number
  /** why something was not measured */
  readonly problem?: string
}

/** A clip, its text, and what PyTorch made of both. */
export interface SlotClip {
  readonly samples: Float32Array
  readonly text: string
  readonly isUtterance: boolean
  /** English name */
  readonly language?: string
  readonly reference: SlotReference
}

/** Compare every step with PyTorch, each on what the release itself computed. */
export async function compareSlots(aligner: Aligner, clip: SlotClip): Promise<SlotComparison> {
  const { samples, text, isUtterance, language, reference } = clip
  const { settings, tokenizer, encoder, graph, hiddenSize } = aligner
  const units = unitsOf(text, language).map(({ spoken }) => spoken)
  const mel = logMel(samples)
  const features = await encoder.run(mel)
  const prompt = alignerPrompt(tokenizer, features.length / hiddenSize, units)
  const logits = await graph.run(prompt, features)
  const differences = {
    mel: worst(mel.data, reference.mel),
    features: worst(features, reference.features),
    logits: worst(logits, reference.logits),
  }
  const problem = Object.values(differences).find((each) => each.problem !== undefined)?.problem
  const hasTimes = nonFinite(logits) === undefined
  const times = hasTimes ? slotTimes(logits, settings) : []
  return {
    ...{ clip: reference.id, isUtterance, slots: reference.classes.length },
    mel: differences.mel.worst,
    features: differences.features.worst,
    logits: differences.logits.worst,
    units: differing(units, reference.units),
    ids: differing(prompt.ids, reference.promptIds),
    classes: differing(hasTimes ? slotClasses(logits, settings) : [], reference.classes),
    times: differing(times, reference.times),
    movedMs: reference.times.reduce((sum, time, i) => sum + Math.abs((times[i] ?? Number.NaN) - time), 0),
    ...(problem !== undefined && { problem }),
  }
}

function worst(found: Float32Array, wanted: ReferenceArray) {
  return differenceOf(found, wanted.data, { found: 'onnxruntime', wanted: 'PyTorch' })
}

function differing<T>(found: readonly T[], wanted: readonly T[]): number {
  const length = Math.max(found.length, wanted.length)
  return Array.from({ length }, (_, i) => found[i] !== wanted[i]).filter(Boolean).length
}
