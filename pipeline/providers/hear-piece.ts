// SPDX-License-Identifier: Apache-2.0

import { argmax } from '../../eval/runtime/decoder.ts'
import { tokenLimit } from '../../eval/runtime/limits.ts'
import { logMel } from '../../eval/runtime/mel.ts'
import { encode, promptOf, type Recognizer } from '../../eval/runtime/recognizer.ts'
import type { Timing } from '../../eval/runtime/timing.ts'

/** Audio features [N, H] of a piece, and the seconds that they took. */
export interface Features extends Pick<Timing, 'mel' | 'encoder'> {
  readonly features: Float32Array
}

/** What a provider computed of one piece; times in seconds. */
export interface Heard {
  readonly features: Float32Array
  readonly tokens: readonly number[]
  /** of the first {@link KEPT_LOGITS} positions [K, V] */
  readonly logits: Float32Array
  readonly steps: number
  readonly timing: Timing
}

/** Positions whose logits are kept: 40 MB of a vocabulary of 152,000. */
const KEPT_LOGITS = 64

/** Compute the mel spectrogram and audio features of a piece, and time both. @param samples 16 kHz mono */
export async function encodePiece(recognizer: Recognizer, samples: Float32Array): Promise<Features> {
  const lap = clock()
  const mel = logMel(samples)
  const seconds = lap()
  const features = await encode(recognizer, mel)
  return { features, mel: seconds, encoder: lap() }
}

/**
 * Decode greedily on a provider's own features, and keep the logits on the way.
 * @param seconds of audio, for the token limit
 * @throws SpeechError when a largest logit is not finite
 */
export async function hearPiece(
  recognizer: Recognizer,
  { features, mel, encoder }: Features,
  seconds: number,
): Promise<Heard> {
  const { decoder, config } = recognizer
  const prompt = promptOf(recognizer, features)
  const rows: Float32Array[] = []
  const tokens: number[] = []
  const lap = clock()
  try {
    let logits = await decoder.prefill([{ prompt, features }])
    const prefill = lap()
    let steps = 0
    for (; ; steps++) {
      if (rows.length < KEPT_LOGITS) rows.push(logits.slice())
      const token = argmax(logits)
      if (config.endIds.includes(token) || tokens.length === tokenLimit(seconds)) break
      tokens.push(token)
      logits = await decoder.step([token])
    }
    const timing = { mel, encoder, prefill, decode: lap() }
    return { features, tokens, logits: joined(rows, config.vocabSize), steps, timing }
  } finally {
    decoder.clear()
  }
}

/** Seconds since the last call. */
function clock(): () => number {
  let last = performance.now()
  return () => {
    const now = performance.now()
    const passed = (now - last) / 1000
    last = now
    return passed
  }
}

function joined(rows: readonly Float32Array[], width: number): Float32Array {
  const all = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries()) all.set(row, i * width)
  return all
}
