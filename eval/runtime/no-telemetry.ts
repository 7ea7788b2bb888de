// SPDX-License-Identifier: Apache-2.0

import { isMainThread } from 'node:worker_threads'
import { SpeechError } from './speech-error.ts'

/*
 * onnxruntime for Linux, from 1.30 on, sends usage data to its publisher, and leaves a device id and a queue of events on the disk. The
 * library reads this variable from the environment of the process when its first session is made. Only the main thread can set
 * that environment; a worker thread has a copy. Child processes inherit it, Python among them.
 */
const SWITCH = 'ORT_DISABLE_TELEMETRY'
const isReal = isMainThread || process.env[SWITCH] !== undefined

process.env[SWITCH] ??= '1' // a value that the user has set stays

/**
 * Call this before a thread starts that loads onnxruntime.
 * @throws SpeechError in a worker thread of a process whose main thread has not switched telemetry off
 */
export function requireNoTelemetry(): void {
  if (isReal) return
  throw new SpeechError(
    'The telemetry of onnxruntime cannot be switched off from a worker thread, so it is not loaded here.',
    `Start the process with ${SWITCH}=1, or import this module in the main thread first.`,
  )
}
