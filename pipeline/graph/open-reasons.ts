// SPDX-License-Identifier: Apache-2.0

import { resolve } from 'node:path'
import type { LoadLevel } from '../../eval/runtime/load-check.ts'

/**
 * Why onnxruntime does not open graphs, each undefined where it does.
 * @throws the signal's reason when it is aborted
 */
export async function openReasons(
  paths: readonly string[],
  level: LoadLevel,
  signal?: AbortSignal,
): Promise<(string | undefined)[]> {
  if (paths.length === 0) return []
  const { loadProblems } = await import('../../eval/runtime/load-check.ts')
  return loadProblems(
    paths.map((path) => resolve(path)),
    level,
    signal,
  )
}
