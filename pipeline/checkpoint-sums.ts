import { basename, join } from 'node:path'
import { checkpointFiles } from './checkpoint-files.ts'
import { formatBytes } from './files.ts'
import { hashFiles } from './hash-cache.ts'
import type { Provenance } from './provenance.ts'
import type { Run } from './stages.ts'

/** Files that take a second or more to read. */
const LARGE = 500_000_000

/** Every file of the checkpoint by content, shards too: one that was changed in place makes another export. */
export async function checkpointSums({
  checkpoint: { folder },
  paths: { work },
  emit,
  signal,
}: Pick<Run, 'checkpoint' | 'paths' | 'emit' | 'signal'>): Promise<Provenance['checkpoint']> {
  const files = await checkpointFiles(folder)
  const cache = join(work, 'sha256.json')
  const paths = files.map((file) => join(folder, file))
  const onRead = (path: string, bytes: number) => {
    if (bytes >= LARGE)
      emit({ event: 'note', text: `Reading ${basename(path)} for its hash (${formatBytes(bytes)})` })
  }
  const sums = await hashFiles(paths, { cache, algorithm: 'sha256', signal, onRead })
  return files.map((file, i) => ({ file, sha256: sums[i] ?? '' }))
}
