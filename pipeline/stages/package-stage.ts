// SPDX-License-Identifier: Apache-2.0

import { buildRelease, releaseFiles } from '../release/build.ts'
import { identifyTrials } from '../release/fidelity-points.ts'
import type { Stage } from './stage.ts'

/** The release: one archive for each variant, checksums, manifest, model card. */
export const packageStage: Stage = {
  name: 'package',
  replaces: true,
  async inputs({ name, base, flag, paths }) {
    return {
      ...{ name, base, flag },
      ...{ node: process.versions.node, trials: await identifyTrials(paths) },
    }
  },
  outputs: (run) => releaseFiles(run, run.options.variants, run.options.family),
  async run({ name, paths, options, emit, signal }) {
    const { threads, variants } = options
    await buildRelease({
      ...{ name, paths, threads, emit, signal },
      ...{ variants, evaluations: [], allowUngated: false },
    })
  },
}
