// SPDX-License-Identifier: Apache-2.0

import { basename, join } from 'node:path'
import type { Emit } from '../shared/events.ts'
import { hashFiles } from '../shared/hash-cache.ts'
import { formatBytes } from '../shared/output-files.ts'
import type { Paths } from '../shared/paths.ts'
import { ADAPTER_FILES } from './adapter.ts'
import { checkpointFiles } from './checkpoint-files.ts'

/* Hashes of the files of checkpoints and adapters. */

/** Files that take a second or more to read. */
const LARGE = 500_000_000

/** A file of a checkpoint, by content. */
export interface CheckpointSum {
  readonly file: string
  readonly sha256: string
}

/** What hashing a checkpoint needs of a run. */
export interface SumOptions {
  readonly checkpoint: { readonly folder: string }
  readonly paths: Pick<Paths, 'work'>
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** Every file of the checkpoint by content, shards too: one that was changed in place makes another export. */
export async function checkpointSums(run: SumOptions): Promise<CheckpointSum[]> {
  const { folder } = run.checkpoint
  return sumsOf(folder, await checkpointFiles(folder), run)
}

/** The same of an adapter. Its folder may hold what training left there, too. */
export async function adapterSums(
  run: SumOptions & { readonly adapter: { readonly folder: string } },
): Promise<CheckpointSum[]> {
  return sumsOf(run.adapter.folder, ADAPTER_FILES, run)
}

async function sumsOf(
  folder: string,
  files: readonly string[],
  { paths: { work }, emit, signal }: SumOptions,
): Promise<CheckpointSum[]> {
  const cache = join(work, 'sha256.json')
  const paths = files.map((file) => join(folder, file))
  const onRead = (path: string, bytes: number) => {
    if (bytes >= LARGE)
      emit({ event: 'note', text: `Reading ${basename(path)} for its hash (${formatBytes(bytes)})` })
  }
  const sums = await hashFiles(paths, { cache, algorithm: 'sha256', signal, onRead })
  return files.map((file, i) => ({ file, sha256: sums[i] ?? '' }))
}
