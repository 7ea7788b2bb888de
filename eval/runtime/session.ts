import { InferenceSession, listSupportedBackends, Tensor } from './onnxruntime.ts'
import { PROVIDERS, providerOf, USUAL_PROVIDER } from './providers.ts'
import { graphPath, type Release, type ReleaseVariant } from './release.ts'
import { SpeechError } from './speech-error.ts'

/** Where a variant's sessions run. */
export interface SessionOptions {
  readonly threads: number
  /** {@link USUAL_PROVIDER} by default */
  readonly provider?: string
}

/** A variant of a release, to open sessions of. */
export interface Source {
  readonly release: Release
  readonly variant: ReleaseVariant
}

/**
 * Load one graph of a release.
 * @throws SpeechError when it is missing or the runtime refuses it
 */
export async function openSession(
  { release, variant }: Source,
  graph: string,
  { threads, provider = USUAL_PROVIDER }: SessionOptions,
): Promise<InferenceSession> {
  const path = graphPath(release, variant, graph)
  const { session } = providerOf(provider)
  try {
    return await InferenceSession.create(path, {
      ...session,
      executionProviders: [provider],
      intraOpNumThreads: threads,
    })
  } catch (error) {
    throw new SpeechError(`onnxruntime cannot load ${path}: ${(error as Error).message}`)
  }
}

/** @throws SpeechError when this build of onnxruntime-node lacks it, or the project has no row for it */
export function requireProvider(provider: string): void {
  const names = listSupportedBackends().map(({ name }) => name)
  if (names.includes(provider)) return void providerOf(provider)
  const hint = Object.hasOwn(PROVIDERS, provider) ? ` ${PROVIDERS[provider]?.hint}` : ''
  throw new SpeechError(
    `This onnxruntime-node has no execution provider "${provider}".`,
    `It has ${names.join(', ')}.${hint}`,
  )
}

/** @throws SpeechError when the graph does not have this output */
export function output(results: InferenceSession.OnnxValueMapType, name: string): Tensor {
  const value = results[name]
  if (value instanceof Tensor) return value
  throw new SpeechError(`The graph has no output ${name}; it has ${Object.keys(results).join(', ')}.`)
}

/** The values of a float32 tensor on the CPU. @throws SpeechError when they are of another type */
export function floats(tensor: Tensor): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data
  throw new SpeechError(`The graph's output is ${tensor.type}, wanted float32.`)
}
