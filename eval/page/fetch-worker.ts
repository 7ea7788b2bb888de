// SPDX-License-Identifier: Apache-2.0

import { startSha256 } from '../runtime/platform/host.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import type { FetchJob, FetchReply } from './fetch-job.ts'
import { fetchFile, hashMismatch, type Progress } from './fetch-one.ts'
import { keptFile } from './kept-files.ts'
import { noRoom } from './kept-releases.ts'
import { distinct } from './release-manifest.ts'

/* A thread that fetches and checks files: only in workers can files of the browser's storage be written in place. */

const REPORT_MS = 100
const STEP = 8 << 20
const stop = new AbortController()
const reply = (message: FetchReply) => postMessage(message)

addEventListener('message', ({ data }: MessageEvent<FetchJob>) => {
  if (data.type === 'stop') stop.abort(new SpeechError('Stopped.'))
  else
    run(data).then(
      () => reply({ type: 'done' }),
      (error) => reply({ type: 'failed', ...problemOf(error) }),
    )
})

async function run(job: Exclude<FetchJob, { type: 'stop' }>): Promise<void> {
  if (job.type === 'check') return checkAll(job)
  const files = distinct(job.files)
  const progress = progressOf(files.reduce((sum, { size }) => sum + size, 0))
  for (const file of files) {
    if (await keptFile(file)) progress.add(file.size, 0)
    else await fetchFile(job.base, file, progress, stop.signal).catch((error) => rethrow(error, progress))
  }
  progress.report()
}

/** The browser said that there is room, and then there was none. */
async function rethrow(error: unknown, { left }: ReportedProgress): Promise<never> {
  if ((error as DOMException).name !== 'QuotaExceededError') throw error
  const { quota = 0, usage = 0 } = await navigator.storage.estimate()
  throw noRoom(Math.max(0, quota - usage), left())
}

async function checkAll({ files }: Extract<FetchJob, { type: 'check' }>): Promise<void> {
  const progress = progressOf(files.reduce((sum, { file }) => sum + file.size, 0))
  for (const { file, blob } of files) {
    const hash = await startSha256()
    for (let at = 0; at < blob.size; at += STEP) {
      stop.signal.throwIfAborted()
      const bytes = new Uint8Array(await blob.slice(at, at + STEP).arrayBuffer())
      hash.add(bytes)
      progress.add(bytes.length, 0)
    }
    const found = hash.digest()
    if (found !== file.sha256) throw hashMismatch(file, found, 'Get the file again.')
  }
  progress.report()
}

interface ReportedProgress extends Progress {
  report(): void
  /** bytes that are not there yet */
  left(): number
}

function progressOf(total: number): ReportedProgress {
  let [done, fetched, note] = [0, 0, '']
  let timer: ReturnType<typeof setTimeout> | undefined
  const report = () => {
    clearTimeout(timer)
    timer = undefined
    reply({ type: 'progress', done, total, fetched, note })
  }
  return {
    report,
    left: () => total - done,
    add(bytes, fromNetwork) {
      done += bytes
      fetched += fromNetwork
      note = ''
      timer ??= setTimeout(report, REPORT_MS)
    },
    say(text) {
      note = text
      report()
    },
  }
}

function problemOf(error: unknown): { message: string; hint: string } {
  if (error instanceof SpeechError) return { message: error.message, hint: error.hint }
  const { name, message } = error as Error
  return {
    message: `The browser's storage refused (${name}: ${message}).`,
    hint: 'Open a local folder instead.',
  }
}
