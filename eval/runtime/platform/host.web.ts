// SPDX-License-Identifier: Apache-2.0

import { createSHA256 } from 'hash-wasm' // the browser's own hashes whole buffers alone
import type * as Host from './host.ts'

/** How many threads can run at the same time, as the browser says. */
export const cores: typeof Host.cores = () => navigator.hardwareConcurrency

/** A timer would wait for four milliseconds. */
export const nextTurn: typeof Host.nextTurn = () =>
  new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })

/** Weights in 8 bits would take a byte each of a page's four gigabytes. */
export const CPU_PROMPTS: typeof Host.CPU_PROMPTS = 'same'

/** SHA-256 (FIPS 180-4) of bytes that come in parts; Web Crypto takes them whole only. */
export const startSha256: typeof Host.startSha256 = async () => {
  const hash = await createSHA256()
  return { add: (bytes) => void hash.update(bytes), digest: () => hash.digest() }
}
