import type { AlignedAudio, AlignerOptions } from './aligner/aligner.ts'
import type { AudioInput } from './opened-audio.ts'
import type { AlignerSettings } from './release-config.ts'
import { startThread } from './thread-calls.ts'

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

export interface AlignJob {
  readonly input: AudioInput
  readonly text: string
  /** name, ISO code or BCP 47 tag */
  readonly language?: string
}

/** A forced aligner in a thread of its own. */
export interface AlignerThread extends LoadedAligner {
  /** Calls may overlap: they run one after the other. @throws SpeechError as `alignAudio` */
  align(job: AlignJob): Promise<AlignedAudio>
  /** when all that was asked for is done */
  release(): Promise<void>
}

/**
 * Load a forced aligner's release: onnxruntime-node runs on the thread that asks, and blocks it.
 * @throws SpeechError when a file is missing, the runtime refuses it, or it is not a forced aligner
 */
export async function startAligner(setup: AlignerSetup): Promise<AlignerThread> {
  const { loaded, call, end } = await startThread<LoadedAligner, AlignJob, AlignedAudio>(
    './aligner-worker.ts',
    'the aligner',
    setup,
  )
  let last: Promise<unknown> = Promise.resolve()
  return {
    ...loaded,
    align(job) {
      const own = last.then(() => call(job))
      last = own.catch(() => undefined)
      return own
    },
    async release() {
      await last
      await end()
    },
  }
}
