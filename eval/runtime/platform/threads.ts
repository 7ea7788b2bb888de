// SPDX-License-Identifier: Apache-2.0

import { parentPort, Worker, workerData } from 'node:worker_threads'
import { requirePackage } from '../missing-package.ts'
import { requireNoTelemetry } from '../no-telemetry.ts'

/* Worker threads of Node. threads.web.ts takes this file's place in browsers. */

/** How a thread has ended. */
export interface ThreadEnd {
  readonly code: number
  /** what nobody caught in it */
  readonly error: Error | undefined
}

/** A module of this project in a separate thread, from outside. */
export interface Thread<Sent, Received> {
  post(message: Sent): void
  onMessage(listener: (message: Received) => void): void
  /** resolves when it is gone, with its memory */
  readonly ended: Promise<ThreadEnd>
}

/** The thread that a module runs in, from inside. */
export interface OwnThread<Setup, Sent, Received> {
  /** what it was started with */
  readonly setup: Setup
  /** @param moved memory of the message that is transferred instead of copied */
  post(message: Sent, moved?: ArrayBuffer[]): void
  onMessage(listener: (message: Received) => void): void
  /** Messages that were posted arrive before the end. */
  end(): void
}

/**
 * Start a module in a separate thread.
 * @param module in eval/runtime, such as "./worker.ts"
 * @param setup can be cloned
 * @throws SpeechError when onnxruntime's telemetry cannot be switched off in it, or it is not installed
 */
export function startModule<Sent, Received>(module: string, setup: object): Thread<Sent, Received> {
  requireNoTelemetry()
  requirePackage('onnxruntime-node')
  const worker = new Worker(new URL('../worker-start.js', import.meta.url), {
    argv: [module],
    workerData: setup,
    execArgv: [],
  })
  let error: Error | undefined
  worker.on('error', (thrown: Error) => {
    error = thrown // its exit follows
  })
  const ended = new Promise<ThreadEnd>((resolve) => worker.once('exit', (code) => resolve({ code, error })))
  return {
    ended,
    post: (message) => worker.postMessage(message),
    onMessage: (listener) => void worker.on('message', listener),
  }
}

/** In a module that was started by {@link startModule}. @throws Error anywhere else */
export async function ownThread<Setup, Sent, Received>(): Promise<OwnThread<Setup, Sent, Received>> {
  const port = parentPort
  if (port === null) throw new Error('This module is started in a thread of its own.')
  return {
    setup: workerData as Setup,
    post: (message, moved) => port.postMessage(message, moved),
    onMessage: (listener) => void port.on('message', listener),
    end: () => process.exit(),
  }
}

/** What to do about a thread that has ended by itself. */
export const WHEN_ENDED: string =
  'Memory may be short: try fewer --workers or a smaller --batch. Run the same command again: what has been measured is kept.'

/** Whether the encoder is loaded in a separate thread, beside the decoder. */
export const LOADS_APART: boolean = true
