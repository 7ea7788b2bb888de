// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { connectHub } from '../hub/connection.ts'
import { hubFiles } from '../publish/hub-files.ts'
import { publish, RECEIPT } from '../publish/publish-release.ts'
import { readManifest } from '../release/manifest.ts'
import { findRelease } from '../release/release-files.ts'
import { formatBytes, writeJson } from '../shared/output-files.ts'
import { PLACEHOLDER } from '../shared/own-commands.ts'
import type { Run, Stage } from './stage.ts'

/** Bring the release to the hub, or say what would be brought there. */
export const publishStage: Stage = {
  name: 'publish',
  always: true,
  inputs: async () => ({}),
  outputs: () => [],
  async run(run) {
    const { repo, dryRun } = run.options
    if (repo === undefined) return list(run)
    const { paths, emit, signal } = run
    const { receipt } = await publish({
      ...{ hub: await connectHub(), folder: paths.release, repo, branch: 'main', dryRun, emit, signal },
      isPrivate: false,
      createPr: false,
      mirror: false,
      archives: true,
      useXet: false,
      allowUngated: false,
      confirm: async () => false,
    })
    if (receipt) await writeJson(join(paths.model, RECEIPT), receipt)
  },
}

/** Without a repository to compare with. */
async function list({ paths, name, emit }: Run): Promise<void> {
  const release = await findRelease(paths.release)
  const files = await hubFiles(release, await readManifest(release.root), true)
  const total = files.reduce((sum, { size }) => sum + size, 0)
  emit({
    event: 'note',
    text: `Dry run: ${files.length} files, ${formatBytes(total)}, would go to ${PLACEHOLDER}/${name}-onnx`,
  })
}
