import { stat } from 'node:fs/promises'
import { relative } from 'node:path'
import { formatBytes } from '../files.ts'
import type { Stage } from '../stages.ts'
import { readSums, releaseFiles } from './package.ts'

/** What would be uploaded to the hub. */
export const publishStage: Stage = {
  name: 'publish',
  always: true,
  inputs: async () => ({}),
  outputs: () => [],
  async run(run) {
    const sums = await readSums(run)
    const rows: string[][] = []
    let total = 0
    for (const path of releaseFiles(run)) {
      const name = relative(run.layout.release, path)
      const { size } = await stat(path)
      total += size
      rows.push([name, formatBytes(size), sums.get(name) ?? ''])
    }
    const repo = run.options.repo ?? `YOUR-NAME/${run.name}-onnx`
    run.emit({
      event: 'table',
      title: `Dry run: ${rows.length} files, ${formatBytes(total)}, would go to ${repo}`,
      columns: ['file', 'size', 'sha256'],
      rows,
    })
  },
}
