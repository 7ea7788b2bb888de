// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'
import type { FetchJob, FetchProgress, FetchReply } from './fetch-job.ts'

/** How the page follows and stops a job of the worker. */
export interface FetchControl {
  readonly signal: AbortSignal
  onProgress(progress: FetchProgress): void
}

/**
 * Fetch files into the browser's storage, or check those of a folder, in a worker.
 * @throws SpeechError saying which file is not right, or the signal's reason
 */
export async function fetchFiles(
  job: Exclude<FetchJob, { type: 'stop' }>,
  { signal, onProgress }: FetchControl,
): Promise<void> {
  const worker = new Worker(new URL('fetch.js', import.meta.url), { type: 'module', name: 'fetch' })
  const post = (message: FetchJob) => worker.postMessage(message)
  const stop = () => post({ type: 'stop' })
  signal.addEventListener('abort', stop)
  try {
    await new Promise<void>((resolve, reject) => {
      worker.addEventListener('message', ({ data }: MessageEvent<FetchReply>) => {
        if (data.type === 'progress') onProgress(data)
        else if (data.type === 'done') resolve()
        else reject(signal.aborted ? signal.reason : new SpeechError(data.message, data.hint))
      })
      worker.addEventListener('error', ({ message }) =>
        reject(
          new SpeechError(`fetch.js ended: ${message || 'it cannot be loaded'}.`, 'Load the page again.'),
        ),
      )
      post(job)
    })
  } finally {
    signal.removeEventListener('abort', stop)
    worker.terminate()
  }
}
