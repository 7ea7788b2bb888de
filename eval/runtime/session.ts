// SPDX-License-Identifier: Apache-2.0

import { withDeviceReasons } from './device-errors.ts'
import { type MappedGraph, mapInlineWeights } from './mapped-weights.ts'
import { type InferenceSession, listSupportedBackends, Tensor } from './onnxruntime.ts'
import { createSession } from './platform/sessions.ts'
import { PROVIDERS, providerOf, USUAL_PROVIDER } from './providers.ts'
import { graphPath, type Release, type ReleaseVariant } from './release.ts'
import { SpeechError } from './speech-error.ts'

/* Sessions of onnxruntime for the graphs of a release. */

/** Where a variant's sessions run. */
export interface SessionOptions {
  readonly threads: number
  /** {@link USUAL_PROVIDER} by default */
  readonly provider?: string
  /** write what each operator does into a file of this name and the time, when the session is released */
  readonly profile?: string
}

/** A variant of a release, to open sessions of. */
export interface Source {
  readonly release: Release
  readonly variant: ReleaseVariant
}

/**
 * Load one graph of a release. Large weights inside of it are mapped from its file.
 * @throws SpeechError when it is missing or the runtime refuses it
 */
export async function openSession(
  { release, variant }: Source,
  graph: string,
  options: SessionOptions,
  more?: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  const path = graphPath(release, variant, graph)
  return openGraph(path, mapInlineWeights(path), options, more)
}

/**
 * Load a graph from its file, or what has been made of it.
 * @param path for the message, and to be read when nothing has been made of it
 * @param more of the runtime's own options
 * @throws SpeechError when the runtime refuses it
 */
export async function openGraph(
  path: string,
  mapped: MappedGraph | undefined,
  { threads, profile, provider = USUAL_PROVIDER }: SessionOptions,
  more: InferenceSession.SessionOptions = {},
): Promise<InferenceSession> {
  const { session, execution, hint } = providerOf(provider)
  const executionProviders = [execution ? { name: provider, ...execution } : provider]
  const options = {
    ...{ ...session, ...more, executionProviders, intraOpNumThreads: threads },
    ...(profile !== undefined && { enableProfiling: true, profileFilePrefix: profile }),
  }
  try {
    const opened = await createSession(mapped ?? { path }, options)
    return provider === USUAL_PROVIDER ? opened : withDeviceReasons(opened, path)
  } catch (error) {
    const { message } = error as Error
    throw new SpeechError(
      `onnxruntime cannot load ${path}: ${message}`,
      isMissing(message) ? `${provider} cannot be used here. ${hint}` : '',
    )
  }
}

/** Whether a provider is not there at all: its library, or a device for it. */
function isMissing(message: string): boolean {
  return /Failed to load shared library|Failed to get a WebGPU adapter|backend not found/.test(message)
}

/**
 * Check that this build of onnxruntime-node has an execution provider, and the project a row for it.
 * @throws SpeechError when one of them has not, with the providers that can be used
 */
export function requireProvider(provider: string): void {
  const backends = listSupportedBackends().filter(({ name }) => Object.hasOwn(PROVIDERS, name))
  if (backends.some(({ name }) => name === provider)) return
  const named = (isBundled: boolean) =>
    backends.flatMap(({ name, bundled }) => (bundled === isBundled ? [name] : [])).join(', ')
  const more = named(false) === '' ? '' : `, and takes ${named(false)} once its libraries are installed`
  const hint = Object.hasOwn(PROVIDERS, provider) ? ` ${PROVIDERS[provider]?.hint}` : ''
  throw new SpeechError(
    `This onnxruntime-node has no execution provider "${provider}".`,
    `It has ${named(true)}${more}.${hint}`,
  )
}

/** An output of a run by its name. @throws SpeechError when the graph does not have this output */
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
