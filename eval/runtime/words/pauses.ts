import type { Span } from '../audio/pieces.ts'
import { SAMPLE_RATE } from '../audio/sample-rate.ts'

const FRAME = 0.01 * SAMPLE_RATE
/** Shorter ones are closures within words. */
const SHORTEST = 8
/** How far from the quiet frames' level towards the loud ones' speech begins. */
const SPEECH_LEVEL = 0.3

/**
 * Where nobody speaks for 80 ms and more, by level, in seconds.
 * @param samples 16 kHz mono
 */
export function pausesIn(samples: Float32Array): Span[] {
  const levels = levelsOf(samples)
  const sorted = levels.toSorted()
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  const threshold = at(0.05) + SPEECH_LEVEL * (at(0.95) - at(0.05))
  const pauses: Span[] = []
  const seconds = (frame: number) => (frame * FRAME) / SAMPLE_RATE
  for (let start = 0, end = 0; start < levels.length; start = end + 1) {
    for (end = start; end < levels.length && (levels[end] as number) < threshold; ) end++
    if (end - start >= SHORTEST) pauses.push({ start: seconds(start), end: seconds(end) })
  }
  return pauses
}

/** Of each 10 ms, in dB. */
function levelsOf(samples: Float32Array): Float32Array {
  return Float32Array.from({ length: Math.floor(samples.length / FRAME) }, (_, frame) => {
    let energy = 1e-11
    for (let i = frame * FRAME; i < (frame + 1) * FRAME; i++) energy += (samples[i] as number) ** 2 / FRAME
    return 10 * Math.log10(energy)
  })
}
