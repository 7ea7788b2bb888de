// SPDX-License-Identifier: Apache-2.0

import type { AlignedAudio } from './aligner/aligner.ts'
import type { AlignerSetup, AlignJob } from './aligner-thread.ts'
import type { Layout, PrefillKind } from './graphs.ts'
import type { LoadCache } from './load-cache.ts'
import type { AudioInput } from './opened-audio.ts'
import { startModule, WHEN_ENDED } from './platform/threads.ts'
import type { Recognition, RecognizeOptions } from './recognize.ts'
import { SpeechError } from './speech-error.ts'

/* A recognizer in a thread of its own: what it is sent, and what it answers. */

/** What a worker thread is started with. */
export interface WorkerSetup {
  readonly folder: string
  readonly variant: string
  readonly threads: number
  readonly provider?: string
  readonly layout?: Layout
  readonly prefill?: PrefillKind
  /** as in DecoderOptions */
  readonly cache?: LoadCache
  /** sequences that are decoded together */
  readonly batch: number
  /** as in DecoderOptions */
  readonly isSteady?: boolean
  /** load the encoder in a separate thread, while the decoder loads */
  readonly isEncoderApart?: boolean
  /** path of the recording that comes first: where the encoder is apart, it is encoded while the decoder loads */
  readonly first?: string
  /** finds when words are said, in place of the decoder's attention */
  readonly aligner?: AlignerSetup
  /** transcribe the first clip twice, so that the first figures are like the others */
  readonly warmUp: boolean
  /** of every job without options of its own; those that do not fit the model fail at the start */
  readonly options: RecognizeOptions
}

/** What a worker is sent. `id` is the caller's: replies carry it. */
export type WorkerJob =
  | {
      readonly type: 'transcribe'
      readonly id: number
      readonly input: AudioInput
      readonly options: RecognizeOptions
      readonly wantsText: boolean
    }
  | ({ readonly type: 'align'; readonly id: number } & AlignJob)
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'stop' }

interface WorkerProblem {
  readonly message: string
  readonly hint: string
  /** a SpeechError: wrong with the input, not with the program */
  readonly isSpeech: boolean
  readonly stack: string
}

/** What a worker has loaded. */
export interface Loaded {
  readonly layout: Layout
  readonly prefill: PrefillKind
  /** every piece comes with the times of its words */
  readonly hasWordTimes: boolean
  /** what the aligner can process in one pass, in seconds */
  readonly alignerSeconds?: number
}

/** What a worker sends back, once for itself and then for each job. */
export type WorkerReply =
  | ({ readonly type: 'loaded' } & Loaded)
  | ({ readonly type: 'unusable' } & WorkerProblem)
  | { readonly type: 'text'; readonly id: number; readonly added: string }
  | { readonly type: 'heard'; readonly id: number; readonly heard: Heard }
  | { readonly type: 'aligned'; readonly id: number; readonly aligned: AlignedAudio }
  | ({ readonly type: 'failed'; readonly id: number } & WorkerProblem)

/** The text of one recording, with what was found of its audio. */
export interface Heard {
  /** of audio */
  readonly seconds: number
  /** of its samples: float32, 16 kHz mono */
  readonly sha256: string
  /** what is odd in the recording */
  readonly notes: readonly string[]
  readonly recognition: Recognition
}

/** Options of one recording, and how a caller follows and stops it. */
export interface TranscribeControl {
  readonly options?: RecognizeOptions
  /** rejects at once with its reason; the thread stops at the next token */
  readonly signal?: AbortSignal | undefined
  /** called with what has been added to the text */
  readonly onText?: ((added: string) => void) | undefined
}

/** A thread with sessions of its own: onnxruntime-node computes on the calling thread, and blocks it. */
export interface WorkerClient {
  readonly loaded: Loaded
  /** @throws SpeechError when the clip cannot be read or transcribed */
  transcribe(input: AudioInput, control?: TranscribeControl): Promise<Heard>
  /** With an aligner. @throws SpeechError as `alignAudio` */
  align(job: AlignJob, signal?: AbortSignal): Promise<AlignedAudio>
  /** Ends what it is doing and releases all memory. */
  close(): Promise<void>
}

/** The thread is gone or going: no clip's fault. */
class WorkerEnded extends Error {
  readonly hint = WHEN_ENDED
}

/** Node hands no blob of a file from thread to thread. */
const PATH_HINT = 'Give the path of the file, or its bytes: new Blob([await readFile(path)]).'

interface Pending {
  resolve(result: Heard | AlignedAudio): void
  reject(error: unknown): void
  readonly onText: TranscribeControl['onText']
}

/**
 * Start a worker thread and load a variant in it.
 * @throws SpeechError when the release cannot be loaded
 */
export async function startWorker(setup: WorkerSetup): Promise<WorkerClient> {
  const worker = startModule<WorkerJob, WorkerReply>('./worker.ts', setup)
  const pending = new Map<number, Pending>()
  let ended: Error | undefined
  let closing: Promise<void> | undefined
  let nextId = 0
  const settle = (id: number): Pending | undefined => {
    const job = pending.get(id)
    pending.delete(id)
    return job
  }
  const loading = new Promise<Loaded>((resolve, reject) => {
    worker.onMessage((message) => {
      if (message.type === 'loaded') resolve(message)
      else if (message.type === 'unusable') reject(problemOf(message))
      else if (message.type === 'text') pending.get(message.id)?.onText?.(message.added)
      else if (message.type === 'heard') settle(message.id)?.resolve(message.heard)
      else if (message.type === 'aligned') settle(message.id)?.resolve(message.aligned)
      else settle(message.id)?.reject(problemOf(message))
    })
    worker.ended.then(({ code, error: cause }) => {
      ended ??= new WorkerEnded(`A worker thread ended (${cause?.message ?? `code ${code}`}).`, { cause })
      reject(cause ?? ended)
      for (const id of [...pending.keys()]) settle(id)?.reject(ended)
    })
  })
  const loaded = await loading.catch(async (error) => {
    await worker.ended // with its memory
    throw error
  })
  const post = (job: WorkerJob) => worker.post(job)
  const ask = <T extends Heard | AlignedAudio>(
    job: (id: number) => WorkerJob,
    signal?: AbortSignal,
    onText?: TranscribeControl['onText'],
  ): Promise<T> => {
    if (ended) return Promise.reject(ended)
    if (signal?.aborted) return Promise.reject(signal.reason)
    const id = nextId++
    const answer = new Promise<T>((resolve, reject) => {
      pending.set(id, { resolve: resolve as Pending['resolve'], reject, onText })
      try {
        post(job(id))
      } catch (error) {
        pending.delete(id)
        reject(
          new SpeechError(
            `The recording cannot be given to a thread: ${(error as Error).message}`,
            PATH_HINT,
          ),
        )
      }
    })
    if (!signal) return answer
    const abort = () => {
      settle(id)?.reject(signal.reason)
      post({ type: 'cancel', id })
    }
    signal.addEventListener('abort', abort, { once: true })
    return answer.finally(() => signal.removeEventListener('abort', abort))
  }
  return {
    loaded,
    transcribe(input, { options = {}, signal, onText } = {}) {
      const job = (id: number): WorkerJob => ({
        ...{ type: 'transcribe', id, input, options },
        wantsText: onText !== undefined,
      })
      return ask<Heard>(job, signal, onText)
    },
    align: (job, signal) => ask<AlignedAudio>((id) => ({ type: 'align', id, ...job }), signal),
    close() {
      closing ??= (async () => {
        if (ended) return
        ended = new Error('The recognizer is closed.')
        for (const id of [...pending.keys()]) settle(id)?.reject(ended)
        // It ends itself between two runs of onnxruntime: one that is terminated inside of a run takes the process along.
        post({ type: 'stop' })
        await worker.ended
      })()
      return closing
    },
  }
}

function problemOf({ message, hint, isSpeech, stack }: WorkerProblem): Error {
  return Object.assign(isSpeech ? new SpeechError(message, hint) : new Error(message), { stack })
}
