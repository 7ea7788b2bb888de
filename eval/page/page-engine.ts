import { mountFolder } from '../runtime/platform/random-access.web.ts'
import { Qwen3Asr } from '../runtime/qwen3-asr.ts'
import type { Device } from './devices.ts'

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

let current: Engine | undefined
let count = 0

/**
 * Load a variant of a release; the one before goes first, for two may not fit in memory.
 * @param files of the release by name
 * @throws SpeechError when it is no release, or does not run
 */
export async function loadEngine(
  name: string,
  variant: string,
  files: ReadonlyMap<string, Blob>,
  device: Device,
): Promise<Engine> {
  await unloadEngine()
  const folder = `release-${++count}`
  mountFolder(folder, files)
  const started = performance.now()
  const { provider, threads } = device
  const asr = await Qwen3Asr.load(folder, { variant, provider, threads })
  current = { asr, device, name, variant, loading: (performance.now() - started) / 1000 }
  return current
}

export async function unloadEngine(): Promise<void> {
  const last = current
  current = undefined
  await last?.asr.dispose()
}
