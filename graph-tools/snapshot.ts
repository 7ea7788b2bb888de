// SPDX-License-Identifier: Apache-2.0

import { realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { GraphError } from './graph-error.ts'

/* The cache of huggingface_hub, whose files are not to be changed. */

/**
 * The folder that the links of a snapshot lead to, when `folder` is one of huggingface_hub's cache or inside of one:
 * models--OWNER--NAME/snapshots/COMMIT has links into models--OWNER--NAME/blobs.
 * @see https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 */
export function blobsOf(folder: string): string | undefined {
  const parts = realFolder(folder).split(sep)
  const at = parts.lastIndexOf('snapshots')
  if (at < 1 || at === parts.length - 1) return undefined
  const blobs = join(parts.slice(0, at).join(sep) || sep, 'blobs')
  return statSync(blobs, { throwIfNoEntry: false })?.isDirectory() ? blobs : undefined
}

/**
 * Refuse to rewrite a folder of huggingface_hub's cache: other programs rely on its files.
 * @throws GraphError when the folder is part of such a cache
 */
export function refuseSnapshot(folder: string): void {
  if (blobsOf(folder) === undefined) return
  throw new GraphError(
    `${folder} is a snapshot in the cache of huggingface_hub: other programs rely on its files.`,
    `Copy it with its links followed, and rewrite the copy: cp -rL ${folder} COPY`,
  )
}

function realFolder(folder: string): string {
  try {
    return realpathSync(folder)
  } catch {
    return folder
  }
}
