// SPDX-License-Identifier: Apache-2.0

import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { PROJECT } from '../../eval/runtime/project.ts'
import { isWritable } from '../shared/writable.ts'

/* Default folders of evaluations. */

const NAME = 'qwen3-asr-onnx'

/** Where an evaluation writes when its command line does not say. */
export interface Places {
  /** parent of the folders of results */
  readonly results: string
  /** of fetched audio and known hashes */
  readonly cache: string
  /** they are in this project's folder */
  readonly isOwn: boolean
}

/**
 * The project's output/, or the user's own folders where the project belongs to somebody else
 * (XDG Base Directory Specification: state and cache).
 * @param project for tests
 */
export async function defaultPlaces(project = PROJECT): Promise<Places> {
  const output = join(project, 'output')
  if (await isWritable(output))
    return { results: join(output, 'evaluation'), cache: join(output, '.cache'), isOwn: true }
  return {
    results: join(userFolder('XDG_STATE_HOME', '.local', 'state'), NAME, 'evaluation'),
    cache: join(userFolder('XDG_CACHE_HOME', '.cache'), NAME),
    isOwn: false,
  }
}

/** Relative paths in these variables are to be ignored. */
function userFolder(variable: string, ...otherwise: string[]): string {
  const given = process.env[variable] ?? ''
  return isAbsolute(given) ? given : join(homedir(), ...otherwise)
}
