import { parentPort, workerData } from 'node:worker_threads'
import { SAMPLE_RATE } from './audio/sample-rate.ts'
import { makeJobQueue } from './job-queue.ts'
import { type OpenedAudio, openAudio } from './opened-audio.ts'
import { buildPrompt } from './prompt.ts'
import { type RecognizeOptions, recognize, recognizePieces } from './recognize.ts'
import { loadRecognizer, type Recognizer } from './recognizer.ts'
import { SpeechError } from './speech-error.ts'
import type { WorkerJob, WorkerReply, WorkerSetup } from './worker-client.ts'

/* A thread with sessions of its own: onnxruntime-node runs on the thread that asks, and blocks it. */

const WARM_UP_SECONDS = 10
const port = parentPort
if (port === null) throw new Error('worker.ts is started by worker-client.ts')
const setup = workerData as WorkerSetup
const reply = (message: WorkerReply) => port.postMessage(message)

type Transcribe = Extract<WorkerJob, { type: 'transcribe' }>

try {
  const recognizer = await loadRecognizer(setup.folder, setup)
  buildPrompt(recognizer.tokenizer, 1, setup.options) // options that do not fit the model fail before the first clip
  listen(recognizer)
  const { layout, prefillKind, alignsWords } = recognizer.decoder
  reply({ type: 'loaded', layout, prefill: prefillKind, hasWordTimes: alignsWords })
} catch (error) {
  reply({ type: 'unusable', ...describe(error) })
  process.exit() // what else was being loaded is not waited for
}

function listen(recognizer: Recognizer): void {
  const stops = new Map<number, AbortController>()
  const queue = makeJobQueue<Transcribe, OpenedAudio>(setup.batch, {
    read: (job) => read(job, stops.get(job.id)?.signal),
    async run(job, audio) {
      try {
        await transcribe(recognizer, job, audio, stops.get(job.id)?.signal)
      } finally {
        await audio.close()
      }
      stops.delete(job.id)
    },
    failed(job, error) {
      fail(job, error)
      stops.delete(job.id)
    },
  })
  port?.on('message', (job: WorkerJob) => {
    if (job.type === 'cancel') return stops.get(job.id)?.abort(new Error('Cancelled.'))
    if (job.type === 'stop') {
      for (const stop of stops.values()) stop.abort(new Error('Stopped.'))
      return void queue
        .idle()
        .then(() => recognizer.encoder.release()) // with its thread, which must not be ended from outside
        .finally(() => process.exit())
    }
    stops.set(job.id, new AbortController())
    return queue.add(job)
  })
}

async function transcribe(
  recognizer: Recognizer,
  { id, options, wantsText }: Transcribe,
  audio: OpenedAudio,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted()
  const control = {
    ...(signal && { signal }),
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

let warm: Promise<unknown> | undefined

async function warmUp(recognizer: Recognizer, { first }: OpenedAudio, options: RecognizeOptions) {
  const few = first.samples.subarray(0, WARM_UP_SECONDS * SAMPLE_RATE)
  warm ??= recognize(recognizer, few, options).catch(() => {
    warm = undefined // the clip itself will tell why, and the next one warms up
  })
  await warm
}

async function read({ input, options }: Transcribe, signal: AbortSignal | undefined): Promise<OpenedAudio> {
  signal?.throwIfAborted()
  return openAudio(input, options.maxPieceSeconds ?? setup.options.maxPieceSeconds, signal)
}

/** Whatever it is, it is this clip's own problem. */
function fail({ id }: Transcribe, error: unknown): undefined {
  reply({ type: 'failed', id, ...describe(error), isSpeech: true })
}

function describe(error: unknown) {
  const { message, stack } = error as Error
  const isSpeech = error instanceof SpeechError
  return { message, hint: isSpeech ? error.hint : '', isSpeech, stack: stack ?? '' }
}
