// SPDX-License-Identifier: Apache-2.0

import { env } from 'onnxruntime-web'
import { InferenceSession } from '../onnxruntime.web.ts'
import { basename, dirname } from './file-paths.web.ts'
import { untilLost } from './gpu-loss.web.ts'
import { filesIn, readBlob, readStart } from './random-access.web.ts'
import type * as Sessions from './sessions.ts'

/**
 * External data is read from its file by ranges, as the runtime requests each weight: it is never in memory as a whole. All
 * files of the graph's folder are offered.
 */
export const createSession: typeof Sessions.createSession = async (graph, options) => {
  env.wasm.numThreads = crossOriginIsolated ? (options.intraOpNumThreads ?? 1) : 1
  const folder = 'path' in graph ? dirname(graph.path) : graph.folder
  const files = filesIn(folder)
  const bytes =
    'path' in graph ? await readStart(graph.path, files.get(basename(graph.path))?.size ?? 0) : graph.bytes
  const externalData = [...files].map(([path, blob]) => ({ path, data: lazyBytes(blob) }))
  const create = () => InferenceSession.create(bytes, { ...options, externalData })
  if (!options.executionProviders?.includes('webgpu')) return create()
  const session = await untilLost(create)
  const [run, release] = [session.run.bind(session), session.release.bind(session)]
  return Object.assign(session, {
    run: ((...args: Parameters<typeof run>) => untilLost(() => run(...args))) as typeof session.run,
    release: () => untilLost(release).catch(() => undefined), // what is lost is released
  })
}

/** The runtime takes weights by `subarray`, and compares ranges with `byteLength` (core/framework/tensorprotoutils.cc). */
function lazyBytes(blob: Blob): Uint8Array {
  return Object.defineProperties(new Uint8Array(0), {
    byteLength: { value: blob.size },
    subarray: { value: (start: number, end: number) => readBlob(blob, start, end) },
  })
}

/** The runtime returns tensors that it was given as they were. */
export const WRITES_OUTPUTS: typeof Sessions.WRITES_OUTPUTS = false

/** Nothing: memory of WebAssembly never shrinks. */
export const GIVES_BACK: typeof Sessions.GIVES_BACK = {}
