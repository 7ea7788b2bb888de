// SPDX-License-Identifier: Apache-2.0

import { lacksHalves } from './device-errors.ts'
import { InferenceSession, Tensor } from './onnxruntime.ts'
import { providerOf, USUAL_PROVIDER } from './providers.ts'
import { halfGraph, sumGraph } from './small-graphs.ts'

/* Trying what a provider computes, with graphs of one operator. */

/** Whether a provider computes in float16; some compute such graphs in float32. */
export type Halves = 'yes' | 'no' | 'as float32'

/** float16 rounds it to 32, so that its square shows what computed. */
const TELLING = 32.015625

/**
 * Compute one sum on a provider: it is there, and right.
 * @throws the runtime's error where it is not there, and an Error where the sum is wrong
 */
export async function requireSum(provider: string): Promise<void> {
  const [sum] = await compute(provider, sumGraph())
  if (sum !== 2 * TELLING) throw new Error(`A graph of one sum gives ${sum}, wanted ${2 * TELLING}.`)
}

/**
 * Compute a square in float16 on a provider. A driver may end the process that this runs in.
 * @returns undefined where something else than float16 is in the way
 */
export async function halvesOf(provider: string): Promise<Halves | undefined> {
  try {
    const [square] = await compute(provider, halfGraph())
    return square === 32 ** 2 ? 'yes' : square === TELLING ** 2 ? 'as float32' : undefined
  } catch (error) {
    return lacksHalves(error) ? 'no' : undefined
  }
}

/** What a small graph gives, all of it on the device. */
async function compute(provider: string, graph: Uint8Array): Promise<Float32Array> {
  const { session, execution } = providerOf(provider)
  const extra = { session: { disable_cpu_ep_fallback: '1' } }
  const opened = await InferenceSession.create(graph, {
    ...session,
    ...(provider !== USUAL_PROVIDER && { extra }),
    executionProviders: [execution ? { name: provider, ...execution } : provider],
  })
  const { y } = await opened.run({ x: new Tensor('float32', new Float32Array(4).fill(TELLING), [4]) })
  await opened.release()
  return Float32Array.from((y?.data ?? []) as Float32Array)
}
