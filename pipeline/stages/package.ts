import { VARIANTS } from '../layout.ts'
import { buildRelease, releaseFiles } from '../release/build.ts'
import type { Stage } from '../stages.ts'

/** The release: one archive for each variant, checksums, manifest, model card. */
export const packageStage: Stage = {
  name: 'package',
  replaces: true,
  async inputs({ name, base, flag }) {
    return {
      ...{ name, base, flag },
      node: process.versions.node,
    }
  },
  outputs: (run) => releaseFiles(run, VARIANTS),
  async run({ name, layout, options, emit, signal }) {
    const { threads } = options
    await buildRelease({
      ...{ name, layout, threads, emit, signal },
      ...{ variants: VARIANTS, evaluations: [], allowUngated: false },
    })
  },
}
