// SPDX-License-Identifier: Apache-2.0

import { defined } from './defined.ts'
import { startEncoder } from './encoder-thread.ts'
import { LOADS_APART, ownThread } from './platform/threads.ts'
import type { WorkerJob, WorkerReply, WorkerSetup } from './worker-client.ts'

/*
 * A thread with sessions of its own: onnxruntime-node runs on the calling thread, and blocks it. The encoder's thread is started before the modules of
 * this one are imported.
 */

const thread = await ownThread<WorkerSetup, WorkerReply, WorkerJob>()
const { folder, variant, threads, provider, first, isEncoderApart } = thread.setup
const isApart = isEncoderApart === true && LOADS_APART
const encoder = isApart
  ? startEncoder({ folder, variant, threads, ...defined({ provider, first }) })
  : undefined
encoder?.catch(() => undefined) // loading the recognizer rejects with it
const { serveRecognizer } = await import('./recognizer-worker.ts')
await serveRecognizer(thread, encoder)
