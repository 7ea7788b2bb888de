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

try {
  const started = performance.now()
  const recognizer = await loadRecognizer(folder, { variant, threads })
  buildPrompt(recognizer.tokenizer, 1, options) // options that do not fit the model fail before the first clip
  let isWarm = false
  const transcribe = async (path: string): Promise<Heard> => {
    const { samples, seconds } = await loadClip(path)
    if (!isWarm) await recognize(recognizer, samples.subarray(0, WARM_UP_SECONDS * SAMPLE_RATE), options)
    isWarm = true
    return { seconds, recognition: await recognize(recognizer, samples, options) }
  }
  port.on('message', async ({ id, path }: WorkerJob) => {
    try {
      reply({ type: 'heard', id, heard: await transcribe(path) })
    } catch (error) {
      reply({ type: 'failed', id, ...describe(error), isSpeech: true }) // the clip's own problem, whatever it is
    }
  })
  reply({ type: 'loaded', seconds: (performance.now() - started) / 1000 })
} catch (error) {
  reply({ type: 'unusable', ...describe(error) })
}

function describe(error: unknown) {
  const { message, stack } = error as Error
  const isSpeech = error instanceof SpeechError
  return { message, hint: isSpeech ? error.hint : '', isSpeech, stack: stack ?? '' }
}
