// SPDX-License-Identifier: Apache-2.0

import { env } from 'onnxruntime-web'
import { LOST_DEVICE } from '../device-errors.ts'
import { SpeechError } from '../speech-error.ts'

/** The DOM's types lack WebGPU (w3.org/TR/webgpu). */
interface GpuDevice {
  /** settles when the driver, the system or the browser has taken the device away */
  readonly lost: Promise<{ readonly message: string }>
}

/** The runtime has one device in a worker, from its first session on. */
let watched: GpuDevice | undefined
let loss: SpeechError | undefined
const waiting = new Set<(error: SpeechError) => void>()

/**
 * Do something on the device. The runtime may wait for one that was lost without an end, so that this does not.
 * @throws SpeechError with the hint {@link LOST_DEVICE} when it is or was lost
 */
export async function untilLost<T>(run: () => Promise<T>): Promise<T> {
  await watch()
  if (loss) throw loss
  return new Promise<T>((resolve, reject) => {
    waiting.add(reject)
    run()
      .then(resolve, reject)
      .finally(() => waiting.delete(reject))
  })
}

async function watch(): Promise<void> {
  const device = ((await env.webgpu.device) as unknown as GpuDevice | undefined) ?? undefined
  if (device === undefined || device === watched) return
  watched = device
  void device.lost.then(({ message }) => {
    loss = new SpeechError(`The graphics device was lost${message === '' ? '' : `: ${message}`}`, LOST_DEVICE)
    for (const reject of waiting) reject(loss)
  })
}
