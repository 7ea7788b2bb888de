// SPDX-License-Identifier: Apache-2.0

import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { identifySources } from '../../eval/sources.ts'
import { adapterSums, checkpointSums } from '../checkpoint/checkpoint-sums.ts'
import { mergeAdapter } from '../checkpoint/merge-adapter.ts'
import { requireSpace } from '../shared/disk-space.ts'
import { formatBytes } from '../shared/output-files.ts'
import type { Run } from './stage.ts'
import { deleteStamp, fingerprintOf, isCurrent, writeStamp } from './stamp.ts'

/* The weights of a run that is for an adapter: merged when a stage reads them, and removed when the run ends. */

const STAMP = 'adapter'

/** What the weights of a run depend on. */
export async function weightInputs(run: Run): Promise<object> {
  const { adapter } = run
  return {
    checkpoint: await checkpointSums(run),
    ...(adapter && { adapter: await adapterSums({ ...run, adapter }) }),
  }
}

/** Merge the adapter of a run into a file of its own, unless it is there already. Does nothing for a plain checkpoint. */
export async function mergeOwnWeights(run: Run): Promise<void> {
  const { adapter, checkpoint, paths, emit, signal } = run
  if (!adapter) return
  const { file, bytes, tensors } = adapter
  const stamp = paths.stamp(STAMP)
  const code = await identifySources(['pipeline/checkpoint/merge-adapter.ts'])
  const fingerprint = fingerprintOf({ code, ...(await weightInputs(run)) })
  if (await isCurrent(stamp, fingerprint, paths.model)) return
  await deleteStamp(stamp)
  await rm(dirname(file), { recursive: true, force: true })
  await requireSpace(
    dirname(file),
    bytes,
    'The merged weights of the adapter',
    'Free space, or name another folder with --output.',
  )
  await mkdir(dirname(file), { recursive: true })
  await mkdir(dirname(stamp), { recursive: true })
  emit({
    event: 'note',
    text: `Merging the adapter: ${tensors.length} tensors, ${formatBytes(bytes)} in ${dirname(file)} until the run ends`,
  })
  const onProgress = (done: number, total: number) =>
    emit({ event: 'progress', what: 'merging the adapter', done, total, unit: 'bytes' })
  await mergeAdapter({
    ...{ base: checkpoint.folder, adapter: adapter.folder },
    ...{ tensors, file, signal, onProgress },
  })
  await writeStamp(stamp, fingerprint, [file], paths.model)
}

/** Merging again takes less time than the space is worth. */
export async function removeOwnWeights({ adapter, options, paths }: Run): Promise<void> {
  if (!adapter || options.keepIntermediate) return
  await deleteStamp(paths.stamp(STAMP))
  await rm(dirname(adapter.file), { recursive: true, force: true })
}
