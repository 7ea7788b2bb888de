// SPDX-License-Identifier: Apache-2.0

import { SAMPLE_RATE } from './sample-rate.ts'

/** Samples of a frame, the grid on which a recording is cut: 10 ms. */
export const FRAME = 0.01 * SAMPLE_RATE
/** Frames of a pause that lies between two words for sure; one that is shorter may be the closure of a consonant. */
const SURE = 0.4 / 0.01
/** A pause that is longer than this, in frames, is not better for it. */
const LONG = 1 / 0.01
/** What each frame from SURE to LONG adds to the worth of a pause. */
const BONUS = 0.3 / (LONG - SURE)
/** The steepness with which pauses shorter than SURE lose worth. */
const STEEPNESS = 1.5
/** Below this level is silence: one step of 16-bit samples. */
const SILENCE = -90
/** What is less quieter than the loud frames, in dB, is not a pause. */
const DEPTH = 3
/** A pause ends where the level is this many dB above that of its loudest frame. */
const EDGE = 3
/** How much of a long pause the next piece may begin with, in frames. */
const LEAD = 0.5 / 0.01

/**
 * Where a recording is cut best: in the pause with the most worth, which is how far it is below the loud frames, in dB,
 * times a weight that grows with its length.
 * @param energies mean square of each frame
 * @param low the first frame before which a cut is allowed
 * @param high the last one
 * @returns the frame before which to cut; the last of equals
 */
export function bestPause(energies: Float64Array, low: number, high: number): number {
  const levels = levelsBetween(energies)
  const loud = levels.toSorted().at(Math.floor(0.95 * (levels.length - 1))) ?? 0
  let [best, most, height] = [high, Number.NEGATIVE_INFINITY, 0]
  for (let frame = low; frame <= high; frame++) {
    const { worth, level } = worthAt(levels, frame, loud)
    if (worth >= most) [best, most, height] = [frame, worth, level]
  }
  if (most === 0) return high
  return middleOf(levels, best, height + EDGE, low, high)
}

/** The level in dB around the beginning of every frame: of the frame before it and of itself. */
function levelsBetween(energies: Float64Array): Float64Array {
  return energies.map((energy, i) => {
    const mean = (energy + (energies[i - 1] ?? energy)) / 2
    return Math.max(SILENCE, 10 * Math.log10(mean + 1e-20))
  })
}

/** The worth of the best of all pauses whose middle is `frame`, and the level of its loudest frame. */
function worthAt(levels: Float64Array, frame: number, loud: number): { worth: number; level: number } {
  let [worth, level, highest] = [0, 0, SILENCE]
  for (let reach = 0; 2 * reach <= LONG; reach++) {
    highest = Math.max(highest, levels[frame - reach] ?? SILENCE, levels[frame + reach] ?? SILENCE)
    if (loud - highest < DEPTH) break
    const found = (loud - highest) * weight(2 * reach + 1)
    if (found > worth) [worth, level] = [found, highest]
  }
  return { worth, level }
}

function weight(frames: number): number {
  return frames < SURE ? (frames / SURE) ** STEEPNESS : 1 + BONUS * (Math.min(frames, LONG) - SURE)
}

/** The middle of the pause around `frame`, or later in a long one, so that a piece does not begin with silence. */
function middleOf(levels: Float64Array, frame: number, top: number, low: number, high: number): number {
  let [first, last] = [frame, frame]
  while (first > 0 && (levels[first - 1] as number) <= top) first--
  while (last + 1 < levels.length && (levels[last + 1] as number) <= top) last++
  return Math.min(high, Math.max(low, Math.round((first + last) / 2), last - LEAD))
}
