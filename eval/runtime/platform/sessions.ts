// SPDX-License-Identifier: Apache-2.0

import { InferenceSession } from '../onnxruntime.ts'

/** A graph in its file, or in memory with the folder that its external data is in. */
export type GraphPlace = { readonly path: string } | { readonly bytes: Uint8Array; readonly folder: string }

/**
 * Open a session of a graph.
 * @throws the runtime's error
 */
export async function createSession(
  graph: GraphPlace,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  if ('path' in graph) return InferenceSession.create(graph.path, options)
  return InferenceSession.create(graph.bytes, withDataFolder(options, graph.folder))
}

/** Bytes have no folder that their external data could lie in (onnxruntime_session_options_config_keys.h). */
function withDataFolder(options: InferenceSession.SessionOptions, folder: string) {
  const { session = {} } = (options.extra ?? {}) as { readonly session?: object }
  const extra = {
    ...options.extra,
    session: { ...session, model_external_initializers_file_folder_path: folder },
  }
  // weights that stand for an input may be fed, which hinders some optimisation: nothing to warn of
  return { ...options, extra, logSeverityLevel: 3 as const }
}

/** Whether a run writes outputs into tensors that it is given. */
export const WRITES_OUTPUTS: boolean = true

/**
 * Options of a session that runs seldom and on many positions: its activations go back to the C library after each operator. An arena would
 * keep them for this session's next run.
 */
export const GIVES_BACK: InferenceSession.SessionOptions = { enableCpuMemArena: false }
