// SPDX-License-Identifier: Apache-2.0

import { ENCODER } from './graphs.ts'
import { MEL_BINS, type Mel } from './mel.ts'
import { Tensor } from './onnxruntime.ts'
import { floats, openSession, output, type SessionOptions, type Source } from './session.ts'

/** The audio encoder. Calls must not overlap. */
export interface Encoder {
  /** @param mel [128, T] @returns audio features [N, hidden], flat */
  run(mel: Mel): Promise<Float32Array>
  release(): Promise<void>
}

/**
 * Load the encoder. It runs on one window of attention after the other where the release says how long they are: the
 * features are the same to the bit, and take the memory of one window.
 * @throws SpeechError when its graph is missing or refused
 */
export async function openEncoder(source: Source, options: SessionOptions): Promise<Encoder> {
  const session = await openSession(source, ENCODER, options)
  const { windowFrames } = source.release.config
  return {
    async run(mel) {
      const parts: Float32Array[] = []
      for (const { data, frames } of windowsOf(mel, windowFrames ?? mel.frames)) {
        const results = await session.run({ mel: new Tensor('float32', data, [1, MEL_BINS, frames]) })
        parts.push(floats(output(results, 'audio_features')))
      }
      return joined(parts)
    },
    release: () => session.release(),
  }
}

function* windowsOf(mel: Mel, size: number): Generator<Mel> {
  if (size >= mel.frames) yield mel
  else for (let start = 0; start < mel.frames; start += size) yield framesOf(mel, start, start + size)
}

function framesOf({ data, frames }: Mel, start: number, end: number): Mel {
  const count = Math.min(end, frames) - start
  const part = new Float32Array(MEL_BINS * count)
  for (let bin = 0; bin < MEL_BINS; bin++) {
    const from = bin * frames + start
    part.set(data.subarray(from, from + count), bin * count)
  }
  return { data: part, frames: count }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const [first] = parts
  if (first && parts.length === 1) return first
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}
