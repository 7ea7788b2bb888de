// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'
import { inSeconds } from './audio-block.ts'

/* What samples must be to be transcribed. */

/** Outside of these a header is damaged, and would make gigabytes of a few bytes. */
const [LOWEST_RATE, HIGHEST_RATE] = [1000, 768_000]
/** One mel frame's hop at 16 kHz; anything shorter is not a recording. */
const SHORTEST = 160
/** How far a lossy codec's samples may exceed full scale (12 dB); a few percent are usual, and no mistake. */
const OVERSHOOT = 4

/**
 * Check that a sample rate in Hz is one that recordings have: 1 to 768 kHz.
 * @throws SpeechError when it is not
 */
export function checkRate(sampleRate: number): void {
  if (sampleRate >= LOWEST_RATE && sampleRate <= HIGHEST_RATE) return
  throw new SpeechError(
    `The file has ${sampleRate} samples a second, wanted ${LOWEST_RATE} to ${HIGHEST_RATE}.`,
  )
}

/**
 * Check that a number of samples at 16 kHz is long enough for a recording: 160, 10 ms.
 * @throws SpeechError for fewer
 */
export function checkLength(samples: number): void {
  if (samples >= SHORTEST) return
  throw new SpeechError(`The clip has ${samples} samples at 16 kHz, wanted at least ${SHORTEST} (10 ms).`)
}

/**
 * Check that all samples are finite.
 * @param seconds of the recording before these samples
 * @param sampleRate in Hz
 * @throws SpeechError for the first sample that is not finite, with its time
 */
export function checkFinite(samples: Float32Array, seconds: number, sampleRate: number): void {
  for (let i = 0; i < samples.length; i++) {
    if (Number.isFinite(samples[i])) continue
    const at = inSeconds(seconds * sampleRate + i, sampleRate)
    throw new SpeechError(
      `The recording holds ${samples[i]} at ${at}, wanted finite samples.`,
      'Write the file again; often a program before this one divided by zero.',
    )
  }
}

/**
 * Check that no sample exceeds full scale (1) by more than a lossy codec adds: 4 at most.
 * @throws SpeechError for the first that does
 */
export function checkOvershoot(samples: Float32Array): void {
  for (let i = 0; i < samples.length; i++) {
    const size = Math.abs(samples[i] as number)
    if (size <= OVERSHOOT) continue
    throw new SpeechError(
      `A sample is ${Number(size.toPrecision(6))} times full scale, wanted at most 1.`,
      'Convert the file to 16-bit samples, divided by their peak.',
    )
  }
}

/** The largest size of a sample, at least `least`. */
export function peakOf(samples: Float32Array, least = 0): number {
  let peak = least
  for (let i = 0; i < samples.length; i++) peak = Math.max(peak, Math.abs(samples[i] as number))
  return peak
}

/**
 * Floats above full scale, such as integers that were written as floats, divided by their peak: as the publisher's
 * qwen-asr does (`float_range_normalize`), so that the model gets the same.
 */
export function dividedBy(peak: number, samples: Float32Array): Float32Array {
  return peak > 1 ? samples.map((sample) => sample / peak) : samples
}

/** What to say about {@link dividedBy}. */
export function notesOfPeak(peak: number): string[] {
  const size = Number(peak.toPrecision(6))
  return peak > 1 ? [`Samples reach ${size} times full scale; all were divided by that.`] : []
}
