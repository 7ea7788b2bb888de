// SPDX-License-Identifier: Apache-2.0

import type { Span } from '../audio/pieces.ts'
import { SAMPLE_RATE } from '../audio/sample-rate.ts'

const FRAME = 0.01 * SAMPLE_RATE
/** Shorter ones are closures within words. */
const SHORTEST = 8
/** How far from the quiet frames' level towards the loud ones' speech begins. */
const SPEECH_LEVEL = 0.3
/** Between quiet and loud frames, in dB. */
const LEAST_DIFFERENCE = 6

/**
 * Where nobody speaks for 80 ms and more, by level, in seconds.
 * @param samples 16 kHz mono
 */
export function pausesIn(samples: Float32Array): Span[] {
  const levels = levelsOf(samples)
  const { quiet, loud } = usualLevels(levels)
  const threshold = quiet + SPEECH_LEVEL * (loud - quiet)
  const pauses: Span[] = []
  const seconds = (frame: number) => (frame * FRAME) / SAMPLE_RATE
  for (let start = 0, end = 0; start < levels.length; start = end + 1) {
    for (end = start; end < levels.length && (levels[end] as number) < threshold; ) end++
    if (end - start >= SHORTEST) pauses.push({ start: seconds(start), end: seconds(end) })
  }
  return pauses
}

/**
 * Whether there may be speech: some of it is louder than the rest, as speech with its closures and breaths always is.
 * @param samples 16 kHz mono
 */
export function mayBeSpeech(samples: Float32Array): boolean {
  const { quiet, loud } = usualLevels(levelsOf(samples))
  return loud - quiet >= LEAST_DIFFERENCE
}

/** The levels that 5 % of all are below, and above, in dB. */
function usualLevels(levels: Float32Array): { readonly quiet: number; readonly loud: number } {
  const sorted = levels.toSorted()
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  return { quiet: at(0.05), loud: at(0.95) }
}

/** Of each 10 ms, in dB. */
function levelsOf(samples: Float32Array): Float32Array {
  return Float32Array.from({ length: Math.floor(samples.length / FRAME) }, (_, frame) => {
    let energy = 1e-11
    for (let i = frame * FRAME; i < (frame + 1) * FRAME; i++) energy += (samples[i] as number) ** 2 / FRAME
    return 10 * Math.log10(energy)
  })
}
