// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../speech-error.ts'
import { resample } from './resample.ts'
import { checkFinite, checkLength, checkRate, dividedBy, notesOfPeak, peakOf } from './sample-checks.ts'
import { SAMPLE_RATE } from './sample-rate.ts'
import { openSpeech } from './speech-stream.ts'

/** Decoded audio in the form that the models take, with what the file was. */
export interface Clip {
  /** 16 kHz mono, full scale is 1 */
  readonly samples: Float32Array
  readonly seconds: number
  /** as the file has them */
  readonly sourceRate: number
  readonly sourceChannels: number
  /** sentences about what is odd in the file */
  readonly notes: readonly string[]
}

/**
 * Read a whole audio file of any kind that {@link openSpeech} reads.
 * @param signal ends a decoder that is a program of its own
 * @throws SpeechError naming the file when it is missing, empty, too short, damaged or not audio
 */
export async function loadClip(path: string, signal?: AbortSignal): Promise<Clip> {
  const stream = await openSpeech({ path }, signal)
  const blocks: Float32Array[] = []
  let length = 0
  for await (const block of stream) {
    blocks.push(block)
    length += block.length
  }
  const samples = new Float32Array(length)
  let position = 0
  for (const block of blocks) {
    samples.set(block, position)
    position += block.length
  }
  const { sourceRate, sourceChannels, notes } = stream
  return { samples, seconds: length / SAMPLE_RATE, sourceRate, sourceChannels, notes }
}

/**
 * Samples that a program has itself, as {@link loadClip} gives them.
 * @throws SpeechError when they are too few, not finite, or of an unlikely rate
 */
export function clipOfSamples(samples: Float32Array, sampleRate: number): Clip {
  if (!(samples instanceof Float32Array)) throw new SpeechError('The samples are not a Float32Array.')
  checkRate(sampleRate)
  checkFinite(samples, 0, sampleRate)
  const peak = peakOf(samples)
  const heard = resample(dividedBy(peak, samples), sampleRate, SAMPLE_RATE)
  checkLength(heard.length)
  return {
    samples: heard,
    seconds: heard.length / SAMPLE_RATE,
    sourceRate: sampleRate,
    sourceChannels: 1,
    notes: notesOfPeak(peak),
  }
}
