import { parentPort, workerData } from 'node:worker_threads'
import { SpeechError } from './speech-error.ts'
import type { ThreadJob, ThreadReply } from './thread-calls.ts'

/** What a thread does when it has loaded. */
interface Served<Loaded, Job, Result> {
  readonly loaded: Loaded
  run(job: Job): Promise<Result>
  /** memory of a result that is handed over instead of copied */
  moved?(result: Result): ArrayBuffer[]
}

/**
 * In a thread that thread-calls.ts started: load, then do one job after the other. It ends itself between two of them: one that
 * is terminated inside of a run takes the process along.
 */
export async function serveCalls<Setup, Loaded, Job, Result>(
  load: (setup: Setup) => Promise<Served<Loaded, Job, Result>>,
): Promise<void> {
  const reply = (message: ThreadReply<Loaded, Result>, moved: ArrayBuffer[] = []) =>
    parentPort?.postMessage(message, moved)
  try {
    const { loaded, run, moved } = await load(workerData as Setup)
    parentPort?.on('message', async (message: ThreadJob<Job>) => {
      if ('isEnd' in message) process.exit()
      try {
        const result = await run(message.job)
        reply({ result }, moved?.(result))
      } catch (error) {
        reply(problemOf(error))
      }
    })
    reply({ loaded })
  } catch (error) {
    reply(problemOf(error))
    process.exit()
  }
}

function problemOf(error: unknown): ThreadReply<never, never> {
  const { message } = error as Error
  const isSpeech = error instanceof SpeechError
  return { message, hint: isSpeech ? error.hint : '', isSpeech }
}
