// SPDX-License-Identifier: Apache-2.0

import { createHash, type Hash } from 'node:crypto'
import { open, rm, stat } from 'node:fs/promises'
import { remoteFile } from '../../eval/dataset/remote-file.ts'
import type { RetryOptions } from '../../eval/dataset/retrying-fetch.ts'
import { hashInto } from '../../eval/hash-file.ts'
import { renameOver } from '../../graph-tools/rename-over.ts'
import { Failure } from '../shared/failure.ts'
import type { Connection } from './connection.ts'
import { gitBlobHash } from './git-blob.ts'
import { fileUrl, type RemoteFile } from './repository.ts'

/** Larger than any file that the hub serves by itself, which may not support ranges. */
const CHUNK_BYTES = 16 << 20

interface Options extends RetryOptions {
  readonly signal: AbortSignal
  readonly onBytes: (count: number) => void
}

/**
 * Fetch a file of a repository, going on where an earlier run stopped, and check its hash before it gets its name.
 * @throws Failure when its bytes are not those of the repository's tree; what was fetched of it is removed
 */
export async function downloadFile(
  hub: Connection,
  repo: string,
  commit: string,
  remote: RemoteFile,
  path: string,
  options: Options,
): Promise<void> {
  if ((await stat(path).catch(() => undefined))?.isFile() && (await hasHash(path, remote))) {
    options.onBytes(remote.size)
    return
  }
  // by its content, as another revision's first bytes would not fit
  const partial = `${path}.${(remote.sha256 ?? remote.oid).slice(0, 12)}.partial`
  const hash = hashFor(remote)
  const { token } = hub
  const source = remoteFile(fileUrl(hub, repo, commit, remote.path), remote.size, {
    ...options,
    ...(token && { token }),
  })
  const file = await open(partial, 'a+')
  try {
    const there = (await file.stat()).size
    let at = there > remote.size ? 0 : there
    if (at < there) await file.truncate(at)
    await hashInto(hash, partial, at)
    options.onBytes(at)
    while (at < remote.size) {
      options.signal.throwIfAborted()
      const chunk = new Uint8Array(await source.slice(at, Math.min(remote.size, at + CHUNK_BYTES)))
      await file.appendFile(chunk)
      hash.update(chunk)
      at += chunk.length
    }
    await file.sync()
  } finally {
    await file.close()
  }
  if (hash.digest('hex') !== (remote.sha256 ?? remote.oid)) {
    await rm(partial, { force: true })
    throw new Failure(
      `${repo} at ${commit.slice(0, 12)}: the bytes of ${remote.path} do not match its hash.`,
      'Run the same command again; if it fails again, the file on the hub is wrong: do not use it.',
    )
  }
  await renameOver(partial, path)
}

/** sha256 of the content where the tree has it, else that of the git blob. */
function hashFor({ sha256, size }: RemoteFile): Hash {
  return sha256 === undefined ? gitBlobHash(size) : createHash('sha256')
}

async function hasHash(path: string, remote: RemoteFile): Promise<boolean> {
  if ((await stat(path)).size !== remote.size) return false
  const hash = await hashInto(hashFor(remote), path, remote.size)
  return hash.digest('hex') === (remote.sha256 ?? remote.oid)
}
