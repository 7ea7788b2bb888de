import { parentPort, workerData } from 'node:worker_threads'
import { loadClip, SAMPLE_RATE } from './audio/clip.ts'
import type { Heard, WorkerJob, WorkerReply, WorkerSetup } from './pool.ts'
import { buildPrompt } from './prompt.ts'
import { recognize } from './recognize.ts'
import { loadRecognizer } from './recognizer.ts'
import { SpeechError } from './speech-error.ts'

/* A thread with sessions of its own: onnxruntime-node runs on the thread that asks, and blocks it. */

const WARM_UP_SECONDS = 10
const port = parentPort
if (port === null) throw new Error('worker.ts is started by pool.ts')
const { folder, variant, threads, options } = workerData as WorkerSetup
const reply = (message: WorkerReply) => port.postMessage(message)
const stop = new AbortController()

try {
  const recognizer = await loadRecognizer(folder, { variant, threads })
  buildPrompt(recognizer.tokenizer, 1, options) // options that do not fit the model fail before the first clip
  let isWarm = false
  const recognizeWarm = async (samples: Float32Array) => {
    const cancellable = { ...options, signal: stop.signal }
    if (!isWarm) await recognize(recognizer, samples.subarray(0, WARM_UP_SECONDS * SAMPLE_RATE), cancellable)
    isWarm = true
    return recognize(recognizer, samples, cancellable)
  }
  const transcribe = async (path: string): Promise<Heard> => {
    const { samples, seconds } = await loadClip(path)
    return { seconds, recognition: await recognizeWarm(samples) }
  }
  let current = Promise.resolve()
  port.on('message', (job: WorkerJob) => {
    if (job.type === 'stop') {
      stop.abort()
      void current.then(() => process.exit())
    } else {
      current = transcribe(job.path).then(
        (heard) => reply({ type: 'heard', heard }),
        // the clip's own problem, whatever it is
        (error) => stop.signal.aborted || reply({ type: 'failed', ...describe(error), isSpeech: true }),
      ) as Promise<void>
    }
  })
  reply({ type: 'loaded' })
} catch (error) {
  reply({ type: 'unusable', ...describe(error) })
}

function describe(error: unknown) {
  const { message, stack } = error as Error
  const isSpeech = error instanceof SpeechError
  return { message, hint: isSpeech ? error.hint : '', isSpeech, stack: stack ?? '' }
}
