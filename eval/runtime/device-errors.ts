// SPDX-License-Identifier: Apache-2.0

import type { InferenceSession } from './onnxruntime.ts'
import { SpeechError } from './speech-error.ts'

/* Errors of devices, and what to do about them. */

/** What onnxruntime says where a graph has float16 and the device has not (webgpu/shader_helper.cc). */
const NO_HALVES = /requires f16 but the device does not support it/

/** What to do when the device is taken away while a model is on it. */
export const LOST_DEVICE = 'Load the model again, on this device or on the processor.'

/** Whether an error says that the device does not compute in float16. */
export function lacksHalves(error: unknown): error is Error {
  return error instanceof Error && NO_HALVES.test(error.message)
}

/**
 * Let a session on a device say what can be done about its failures: the library names a node and a line of its own source.
 * @param path of its graph, for the message
 */
export function withDeviceReasons(session: InferenceSession, path: string): InferenceSession {
  const run = session.run.bind(session)
  const explained = (...args: Parameters<typeof run>) =>
    run(...args).catch((error: unknown) => {
      throw explain(error, path)
    })
  return Object.assign(session, { run: explained as typeof session.run })
}

function explain(error: unknown, path: string): unknown {
  if (!lacksHalves(error)) return error
  return new SpeechError(
    `${path} has values in float16, which this device cannot compute with.`,
    /decoder_init/.test(path)
      ? 'The split layout looks tokens up in a table of float16: use the fused layout, which every variant has.'
      : 'Use another variant, such as int4, or --provider cpu.',
  )
}
