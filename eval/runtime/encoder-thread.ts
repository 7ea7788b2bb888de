import { Worker } from 'node:worker_threads'
import type { Encoder } from './encoder.ts'
import type { Mel } from './mel.ts'
import type { SessionOptions } from './session.ts'
import { SpeechError } from './speech-error.ts'

/** What the thread is started with. */
export interface EncoderSetup extends SessionOptions {
  readonly folder: string
  readonly variant: string
}

/** A spectrogram to be encoded, or the end. */
export type EncoderJob = { readonly mel: Mel } | { readonly isEnd: true }

export type EncoderReply =
  | { readonly isLoaded: true }
  | { readonly features: Float32Array }
  | { readonly message: string; readonly hint: string; readonly isSpeech: boolean }

/**
 * Load the encoder in a thread of its own: onnxruntime-node loads a graph on the thread that asks, and blocks it, so that
 * the decoder loads meanwhile on another core.
 * @throws SpeechError when its graph is missing or refused
 */
export async function startEncoder(workerData: EncoderSetup): Promise<Encoder> {
  const worker = new Worker(new URL('./worker-start.js', import.meta.url), {
    ...{ argv: ['./encoder-worker.ts'], workerData, execArgv: [] },
  })
  const ended = new Promise<never>((_, reject) => {
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`The thread of the encoder ended (code ${code}).`)))
  })
  ended.catch(() => undefined) // the next answer that is waited for rejects with it
  const exit = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const answer = () =>
    Promise.race([ended, new Promise<EncoderReply>((resolve) => worker.once('message', resolve))])
  const loaded = await answer()
  if ('message' in loaded) {
    await exit // with its memory
    throw problemOf(loaded)
  }
  const post = (job: EncoderJob) => worker.postMessage(job)
  return {
    async run(mel) {
      const answered = answer()
      post({ mel })
      const reply = await answered
      if ('features' in reply) return reply.features
      throw 'message' in reply ? problemOf(reply) : new Error('The thread of the encoder was loaded twice.')
    },
    async release() {
      post({ isEnd: true })
      await exit
    },
  }
}

function problemOf({ message, hint, isSpeech }: Extract<EncoderReply, { message: string }>): Error {
  return isSpeech ? new SpeechError(message, hint) : new Error(message)
}
