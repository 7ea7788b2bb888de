// SPDX-License-Identifier: Apache-2.0

import { mountFolder } from '../runtime/platform/random-access.web.ts'
import { Qwen3Asr } from '../runtime/qwen3-asr.ts'
import type { Device } from './variant-choice.ts'

/* The one model that a page has loaded. */

/** A model that is loaded. */
export interface Engine {
  readonly asr: Qwen3Asr
  readonly device: Device
  /** of the release and its variant */
  readonly name: string
  readonly variant: string
  /** seconds that loading took */
  readonly loading: number
}

/** The last one that was asked for: loaded, being loaded, or failed. */
let current: Promise<Engine> | undefined
let count = 0

/**
 * Load a variant of a release; the one before goes first, for two may not fit in memory.
 * @param files of the release by name
 * @param signal leaves it: what has begun ends by itself, and its memory is given back
 * @throws SpeechError when it is not a release, or does not run; the signal's reason
 */
export async function loadEngine(
  { name, variant, device }: Pick<Engine, 'name' | 'variant' | 'device'>,
  files: ReadonlyMap<string, Blob>,
  signal: AbortSignal,
): Promise<Engine> {
  await unloadEngine()
  signal.throwIfAborted()
  const folder = `release-${++count}`
  mountFolder(folder, files)
  const started = performance.now()
  const { provider, threads } = device
  const loading = Qwen3Asr.load(folder, { variant, provider, threads }).then(
    (asr): Engine => ({ asr, device, name, variant, loading: (performance.now() - started) / 1000 }),
  )
  current = loading
  const left = new Promise<never>((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
  )
  return Promise.race([loading, left])
}

/** Resolves when its memory is given back. */
export async function unloadEngine(): Promise<void> {
  const last = current
  current = undefined
  const engine = await last?.catch(() => undefined)
  await engine?.asr.dispose()
}
