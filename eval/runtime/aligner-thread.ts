// SPDX-License-Identifier: Apache-2.0

import type { AlignedAudio, AlignerOptions, UnitTimes } from './aligner/aligner.ts'
import type { AudioInput } from './opened-audio.ts'
import type { AlignerSettings } from './release-config.ts'
import { startThread } from './thread-calls.ts'

/* A forced aligner in a thread of its own: what it is sent, and what it answers. */

/** What the thread is started with. */
export interface AlignerSetup extends AlignerOptions {
  readonly folder: string
  /** align the first recording twice, so that the first figures are like the others */
  readonly warmUp?: boolean
}

/** What is known of an aligner that has been loaded. */
export interface LoadedAligner {
  readonly variant: string
  readonly settings: AlignerSettings
}

/** A recording and the text that is said in it. */
export interface AlignJob {
  readonly input: AudioInput
  readonly text: string
  /** name, ISO code or BCP 47 tag */
  readonly language?: string
}

/** A piece of a recording, 16 kHz mono, and what is spoken of each unit in it. */
export interface UnitsJob {
  readonly samples: Float32Array
  readonly spoken: readonly string[]
}

/** A forced aligner in a separate thread. */
export interface AlignerThread extends LoadedAligner {
  /**
   * Calls may overlap: they run one after the other.
   * @param signal rejects at once with its reason; what runs is run to its end
   * @throws SpeechError as `alignAudio`
   */
  align(job: AlignJob, signal?: AbortSignal): Promise<AlignedAudio>
  /** As {@link align}, in one pass of what is in memory. @throws SpeechError as `alignUnits` */
  alignUnits(job: UnitsJob, signal?: AbortSignal): Promise<UnitTimes>
  /** when all that was asked for is done */
  release(): Promise<void>
}

/**
 * Load a forced aligner's release: onnxruntime-node runs on the calling thread, and blocks it.
 * @throws SpeechError when a file is missing, the runtime refuses it, or it is not a forced aligner
 */
export async function startAligner(setup: AlignerSetup): Promise<AlignerThread> {
  const { loaded, call, end } = await startThread<
    LoadedAligner,
    AlignJob | UnitsJob,
    AlignedAudio | UnitTimes
  >('./aligner-worker.ts', 'the aligner', setup)
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = (job: AlignJob | UnitsJob, signal?: AbortSignal) => {
    const own = last.then(() => {
      signal?.throwIfAborted()
      return call(job)
    })
    last = own.catch(() => undefined)
    return signal ? orAborted(own, signal) : own
  }
  return {
    ...loaded,
    align: (job, signal) => inTurn(job, signal) as Promise<AlignedAudio>,
    alignUnits: (job, signal) => inTurn(job, signal) as Promise<UnitTimes>,
    async release() {
      await last
      await end()
    },
  }
}

/** @throws the signal's reason as soon as it aborts */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined)
  signal.throwIfAborted()
  let abort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
