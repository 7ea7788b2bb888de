// SPDX-License-Identifier: Apache-2.0

import type { Encoder } from './encoder.ts'
import type { Mel } from './mel.ts'
import type { SessionOptions } from './session.ts'
import { startThread } from './thread-calls.ts'

/** What the thread is started with. */
export interface EncoderSetup extends SessionOptions {
  readonly folder: string
  readonly variant: string
  /** path of a recording whose first piece is encoded when the encoder has loaded, so that its features are there when they are asked for */
  readonly first?: string
}

/**
 * Load the encoder in a separate thread: onnxruntime-node loads a graph on the calling thread, and blocks it, so that
 * the decoder loads meanwhile on another core.
 * @throws SpeechError when its graph is missing or refused
 */
export async function startEncoder(setup: EncoderSetup): Promise<Encoder> {
  const { call, end } = await startThread<true, Mel, Float32Array>(
    './encoder-worker.ts',
    'the encoder',
    setup,
  )
  return { run: call, release: end }
}
