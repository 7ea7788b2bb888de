import { join } from 'node:path'
import { formatBytes } from '../files.ts'
import { readManifest } from '../release/manifest.ts'
import type { Stage } from '../stages.ts'

/** What would be uploaded to the hub. */
export const publishStage: Stage = {
  name: 'publish',
  always: true,
  inputs: async () => ({}),
  outputs: () => [],
  async run(run) {
    const { files } = await readManifest(run.layout.release)
    const total = files.reduce((sum, { size }) => sum + size, 0)
    const repo = run.options.repo ?? `YOUR-NAME/${run.name}-onnx`
    run.emit({
      event: 'table',
      title: `Dry run: ${files.length} files, ${formatBytes(total)}, would go to ${repo}`,
      columns: ['file', 'size', 'sha256'],
      rows: files.map(({ path, size, sha256 }) => [join(path), formatBytes(size), sha256]),
    })
  },
}
