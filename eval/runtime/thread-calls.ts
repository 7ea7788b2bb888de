import { Worker } from 'node:worker_threads'
import { SpeechError } from './speech-error.ts'

/** What a thread answers: once when it has loaded, then to each job. */
export type ThreadReply<Loaded, Result> =
  | { readonly loaded: Loaded }
  | { readonly result: Result }
  | { readonly message: string; readonly hint: string; readonly isSpeech: boolean }

/** A job, or the end. */
export type ThreadJob<Job> = { readonly job: Job } | { readonly isEnd: true }

/** A thread that does one job after the other: serve-calls.ts is its other side. */
export interface ThreadCalls<Loaded, Job, Result> {
  readonly loaded: Loaded
  /** @throws SpeechError as the thread does. Calls must not overlap. */
  call(job: Job): Promise<Result>
  /** Between two calls: a thread that is ended inside of one takes the process along. */
  end(): Promise<void>
}

/**
 * Start a module in a thread of its own.
 * @param module in this folder
 * @param what it is for, for messages
 * @throws SpeechError as it does when it loads
 */
export async function startThread<Loaded, Job, Result>(
  module: string,
  what: string,
  workerData: object,
): Promise<ThreadCalls<Loaded, Job, Result>> {
  const worker = new Worker(new URL('./worker-start.js', import.meta.url), {
    ...{ argv: [module], workerData, execArgv: [] },
  })
  const ended = new Promise<never>((_, reject) => {
    worker.once('error', reject)
    worker.once('exit', (code) => reject(new Error(`The thread of ${what} ended (code ${code}).`)))
  })
  ended.catch(() => undefined) // the next answer that is waited for rejects with it
  const exit = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const answer = () =>
    Promise.race([
      ended,
      new Promise<ThreadReply<Loaded, Result>>((resolve) => worker.once('message', resolve)),
    ])
  const post = (job: ThreadJob<Job>) => worker.postMessage(job)
  const first = await answer()
  if ('message' in first) {
    await exit // with its memory
    throw problemOf(first)
  }
  if (!('loaded' in first)) throw new Error(`The thread of ${what} has not loaded.`)
  return {
    loaded: first.loaded,
    async call(job) {
      const answered = answer()
      post({ job })
      const reply = await answered
      if ('result' in reply) return reply.result
      throw 'message' in reply ? problemOf(reply) : new Error(`The thread of ${what} was loaded twice.`)
    },
    async end() {
      post({ isEnd: true })
      await exit
    },
  }
}

function problemOf({
  message,
  hint,
  isSpeech,
}: Extract<ThreadReply<never, never>, { message: string }>): Error {
  return isSpeech ? new SpeechError(message, hint) : new Error(message)
}
