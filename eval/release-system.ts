// SPDX-License-Identifier: Apache-2.0

import { alignerSystem } from './aligner-system.ts'
import type { Family } from './runtime/graphs.ts'
import { openRelease, type Release } from './runtime/release.ts'
import { type ModelOptions, modelSystem, type System } from './system.ts'

const SYSTEMS: Readonly<Record<Family, (release: Release, model: ModelOptions) => Promise<System>>> = {
  asr: modelSystem,
  aligner: alignerSystem,
}

/**
 * A variant of a release directory, of whatever kind its model is.
 * @throws SpeechError when there is no such variant, or it has no way to run with these options
 */
export async function releaseSystem(model: ModelOptions): Promise<System> {
  const release = await openRelease(model.folder)
  return SYSTEMS[release.family](release, model)
}
