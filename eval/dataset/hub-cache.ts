// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AsyncBuffer } from 'hyparquet'
import { readOwn } from '../checked-json.ts'
import { findHubSplit, HUB_SPLIT, type HubOptions, type HubSplit } from './hub-split.ts'
import type { HubSpec } from './named.ts'
import { isOffline, OfflineError } from './network.ts'
import { writeWhole } from './write-whole.ts'

/* What is kept of a dataset on the hub beside its audio, so that a later run needs no network. */

/**
 * As findHubSplit, which is asked whenever there is a network: a branch moves. Without, the split as it was found last.
 * @param folder of the repository in the cache
 * @throws OfflineError when it was never found
 */
export async function cachedSplit(spec: HubSpec, folder: string, options: HubOptions): Promise<HubSplit> {
  const { repo, config, split, revision } = spec
  const asked = JSON.stringify([options.endpoint ?? '', repo, config, split, revision ?? ''])
  const path = join(folder, `split-${createHash('sha256').update(asked).digest('hex').slice(0, 16)}.json`)
  if (!isOffline()) {
    const found = await findHubSplit(repo, config, split, revision, options)
    await writeWhole(path, JSON.stringify(found))
    return found
  }
  const kept = await readOwn(HUB_SPLIT, path)
  if (kept) return kept
  throw new OfflineError(`the hub is not asked for ${repo}, of which ${split} is not in the cache ${folder}`)
}

/**
 * A file whose ranges stay in a folder once they are read: for footers, which are small.
 * @param folder for this file at a revision that does not move
 */
export function cachedRanges(file: AsyncBuffer, folder: string): AsyncBuffer {
  return {
    byteLength: file.byteLength,
    async slice(start, end = file.byteLength) {
      const path = join(folder, `${start}-${end}`)
      const kept = await readFile(path).catch(() => undefined)
      if (kept?.length === end - start) return new Uint8Array(kept).buffer
      const bytes = await file.slice(start, end)
      await writeWhole(path, new Uint8Array(bytes))
      return bytes
    },
  }
}
