// SPDX-License-Identifier: Apache-2.0

import { ownThread } from './platform/threads.ts'
import { SpeechError } from './speech-error.ts'
import type { ThreadJob, ThreadReply } from './thread-calls.ts'

/** What a thread does when it has loaded. */
interface Served<Loaded, Job, Result> {
  readonly loaded: Loaded
  run(job: Job): Promise<Result>
  /** memory of a result that is transferred instead of copied */
  moved?(result: Result): ArrayBuffer[]
}

/**
 * In a thread that thread-calls.ts started: load, then do one job after the other. It ends itself between two of them: one that
 * is terminated inside of a run takes the process along.
 */
export async function serveCalls<Setup, Loaded, Job, Result>(
  load: (setup: Setup) => Promise<Served<Loaded, Job, Result>>,
): Promise<void> {
  const thread = await ownThread<Setup, ThreadReply<Loaded, Result>, ThreadJob<Job>>()
  try {
    const { loaded, run, moved } = await load(thread.setup)
    thread.onMessage(async (message) => {
      if ('isEnd' in message) return thread.end()
      try {
        const result = await run(message.job)
        thread.post({ result }, moved?.(result))
      } catch (error) {
        thread.post(problemOf(error))
      }
    })
    thread.post({ loaded })
  } catch (error) {
    thread.post(problemOf(error))
    thread.end()
  }
}

function problemOf(error: unknown): ThreadReply<never, never> {
  const { message } = error as Error
  const isSpeech = error instanceof SpeechError
  return { message, hint: isSpeech ? error.hint : '', isSpeech }
}
