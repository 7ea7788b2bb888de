// SPDX-License-Identifier: Apache-2.0

import { startModule } from './platform/threads.ts'
import { SpeechError } from './speech-error.ts'

/* Calls to a thread that does one job after the other. */

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
 * Start a module in a separate thread.
 * @param module in this folder
 * @param what it is for, for messages
 * @throws SpeechError as it does when it loads
 */
export async function startThread<Loaded, Job, Result>(
  module: string,
  what: string,
  setup: object,
): Promise<ThreadCalls<Loaded, Job, Result>> {
  type Reply = ThreadReply<Loaded, Result>
  const thread = startModule<ThreadJob<Job>, Reply>(module, setup)
  const gone = thread.ended.then(({ code, error }): never => {
    throw error ?? new Error(`The thread of ${what} ended (code ${code}).`)
  })
  gone.catch(() => undefined) // the next answer that is waited for rejects with it
  let take: (reply: Reply) => void = () => undefined
  thread.onMessage((reply) => take(reply))
  const answer = () =>
    Promise.race([
      gone,
      new Promise<Reply>((resolve) => {
        take = resolve
      }),
    ])
  const first = await answer()
  if ('message' in first) {
    await thread.ended // with its memory
    throw problemOf(first)
  }
  if (!('loaded' in first)) throw new Error(`The thread of ${what} has not loaded.`)
  return {
    loaded: first.loaded,
    async call(job) {
      const answered = answer()
      thread.post({ job })
      const reply = await answered
      if ('result' in reply) return reply.result
      throw 'message' in reply ? problemOf(reply) : new Error(`The thread of ${what} was loaded twice.`)
    },
    async end() {
      thread.post({ isEnd: true })
      await thread.ended
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
