// SPDX-License-Identifier: Apache-2.0

import { alignLong } from './aligner/align-long.ts'
import { alignText } from './aligner/aligner.ts'
import { type AlignerThread, startAligner } from './aligner-thread.ts'
import { SAMPLE_RATE } from './audio/sample-rate.ts'
import { defined } from './defined.ts'
import type { Encoder } from './encoder.ts'
import { makeJobQueue } from './job-queue.ts'
import { MAX_PIECE_SECONDS } from './limits.ts'
import { type OpenedAudio, openAudio } from './opened-audio.ts'
import type { OwnThread } from './platform/threads.ts'
import { buildPrompt } from './prompt.ts'
import { type RecognizeOptions, recognize, recognizePieces } from './recognize.ts'
import { loadRecognizer, type Recognizer } from './recognizer.ts'
import { SpeechError } from './speech-error.ts'
import type { WorkerJob, WorkerReply, WorkerSetup } from './worker-client.ts'

/* What the thread of worker.ts does. */

const ALIGNER_HINT = 'Load with { aligner: DIR }, the release of a forced aligner.'
const WARM_UP_SECONDS = 10
type Transcribe = Extract<WorkerJob, { type: 'transcribe' }>
type Align = Extract<WorkerJob, { type: 'align' }>

/** The thread that a recognizer runs in. */
export type RecognizerThread = OwnThread<WorkerSetup, WorkerReply, WorkerJob>

/**
 * Load a recognizer, and do what the thread is sent.
 * @param encoder that is loading already, in a separate thread
 */
export async function serveRecognizer(thread: RecognizerThread, encoder?: Promise<Encoder>): Promise<void> {
  const { setup, post: reply } = thread
  try {
    const recognizer = await loadRecognizer(setup.folder, { ...setup, ...defined({ encoder }) })
    buildPrompt(recognizer.tokenizer, 1, setup.options) // options that do not fit the model fail before the first clip
    const aligner = setup.aligner && (await startAligner(setup.aligner))
    listen({ thread, recognizer, aligner })
    const { layout, prefillKind, alignsWords } = recognizer.decoder
    const hasWordTimes = alignsWords || aligner !== undefined
    const alignerSeconds = aligner?.settings.maxSeconds
    reply({ type: 'loaded', layout, prefill: prefillKind, hasWordTimes, ...defined({ alignerSeconds }) })
  } catch (error) {
    reply({ type: 'unusable', ...describe(error) })
    thread.end() // what else was being loaded is not waited for
  }
}

interface Models {
  readonly thread: RecognizerThread
  readonly recognizer: Recognizer
  readonly aligner: AlignerThread | undefined
}

function listen(models: Models): void {
  const { thread } = models
  const stops = new Map<number, AbortController>()
  const queue = makeJobQueue<Transcribe | Align, OpenedAudio>(thread.setup.batch, {
    read: (job) => read(job, models, stops.get(job.id)?.signal),
    async run(job, audio) {
      try {
        const { signal } = stops.get(job.id) ?? new AbortController()
        if (job.type === 'align') await alignOne(models, job, audio, signal)
        else await transcribe(models, job, audio, signal)
      } finally {
        await audio.close()
      }
      stops.delete(job.id)
    },
    failed(job, error) {
      fail(thread, job, error)
      stops.delete(job.id)
    },
  })
  thread.onMessage((job) => {
    if (job.type === 'cancel') return stops.get(job.id)?.abort(new Error('Cancelled.'))
    if (job.type === 'stop') {
      for (const stop of stops.values()) stop.abort(new Error('Stopped.'))
      return void queue
        .idle()
        .then(() => Promise.all([models.recognizer.encoder.release(), models.aligner?.release()])) // threads must not be ended from outside
        .finally(() => thread.end())
    }
    stops.set(job.id, new AbortController())
    return queue.add(job)
  })
}

async function transcribe(
  { thread: { setup, post: reply }, recognizer, aligner }: Models,
  { id, options, wantsText }: Transcribe,
  audio: OpenedAudio,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted()
  const control = {
    signal,
    ...defined({ aligner }),
    ...(wantsText && { onText: (added: string) => reply({ type: 'text', id, added }) }),
  }
  const all = { ...setup.options, ...options }
  if (setup.warmUp) await warmUp(recognizer, audio, all)
  const recognition = await recognizePieces(recognizer, audio.cuts, all, control)
  reply({
    type: 'heard',
    id,
    heard: { seconds: audio.seconds(), sha256: audio.sha256(), notes: [...audio.notes], recognition },
  })
}

async function alignOne(
  { thread: { post: reply }, recognizer, aligner }: Models,
  { id, input, text, language }: Align,
  audio: OpenedAudio,
  signal: AbortSignal,
): Promise<void> {
  if (aligner === undefined) throw new SpeechError('No aligner is loaded.', ALIGNER_HINT)
  const options = defined({ language })
  let pieces = 0
  for await (const _ of audio.cuts) if (++pieces > 1) break
  if (pieces > 1) {
    if ('fd' in input)
      throw new SpeechError(
        `${input.name} is too long to be aligned as a stream.`,
        'Write it to a file first.',
      )
    const aligned = await alignLong(recognizer, aligner, input, text, { ...options, signal })
    return reply({ type: 'aligned', id, aligned })
  }
  const { settings } = aligner
  const { samples } = audio.first
  const found = await alignText(text, { settings, ...options }, (spoken) =>
    aligner.alignUnits({ samples, spoken }, signal),
  )
  const about = { seconds: audio.seconds(), sha256: audio.sha256(), notes: [...audio.notes] }
  reply({ type: 'aligned', id, aligned: { ...about, ...found } })
}

let warm: Promise<unknown> | undefined

async function warmUp(recognizer: Recognizer, { first }: OpenedAudio, options: RecognizeOptions) {
  const few = first.samples.subarray(0, WARM_UP_SECONDS * SAMPLE_RATE)
  warm ??= recognize(recognizer, few, options).catch(() => {
    warm = undefined // the error comes again with the clip itself, and the next one warms up
  })
  await warm
}

async function read(
  job: Transcribe | Align,
  { thread: { setup }, aligner }: Models,
  signal: AbortSignal | undefined,
): Promise<OpenedAudio> {
  signal?.throwIfAborted()
  const most = aligner?.settings.maxSeconds
  if (job.type === 'align') return openAudio(job.input, most, signal)
  const wanted = job.options.maxPieceSeconds ?? setup.options.maxPieceSeconds
  return openAudio(job.input, wanted ?? Math.min(MAX_PIECE_SECONDS, most ?? MAX_PIECE_SECONDS), signal)
}

/** Whatever it is, it is this clip's own problem. */
function fail({ post: reply }: RecognizerThread, { id }: Transcribe | Align, error: unknown): undefined {
  reply({ type: 'failed', id, ...describe(error), isSpeech: true })
}

function describe(error: unknown) {
  const { message, stack } = error as Error
  const isSpeech = error instanceof SpeechError
  return { message, hint: isSpeech ? error.hint : '', isSpeech, stack: stack ?? '' }
}
