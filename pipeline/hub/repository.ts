// SPDX-License-Identifier: Apache-2.0

import { HubApiError, listFiles, modelInfo } from '@huggingface/hub'
import type { RetryOptions } from '../../eval/dataset/retrying-fetch.ts'
import { Failure } from '../shared/failure.ts'
import { type Connection, hubParams } from './connection.ts'

/* Reading repositories of the hub. */

/** A file of a repository, as its tree says. */
export interface RemoteFile {
  readonly path: string
  readonly size: number
  /** sha1 of the git blob: of a pointer when `sha256` is there */
  readonly oid: string
  /** of the content, of files in large file storage */
  readonly sha256?: string
}

/**
 * The commit that a branch, tag or commit points at.
 * @returns undefined when there is no such repository or revision, or we may not see it
 */
export async function commitOf(
  hub: Connection,
  repo: string,
  revision: string | undefined,
  options: RetryOptions,
): Promise<string | undefined> {
  try {
    const { sha } = await modelInfo({
      ...{ ...hubParams(hub, options), name: repo, additionalFields: ['sha'] },
      ...(revision !== undefined && { revision }),
    })
    return sha
  } catch (error) {
    if (
      error instanceof HubApiError &&
      (error.statusCode === 404 || (error.statusCode === 401 && !hub.token))
    )
      return undefined
    throw error
  }
}

/** Every file at a commit, by path. */
export async function treeOf(
  hub: Connection,
  repo: string,
  commit: string,
  options: RetryOptions,
): Promise<Map<string, RemoteFile>> {
  const files = new Map<string, RemoteFile>()
  const params = { ...hubParams(hub, options), repo, revision: commit, recursive: true }
  for await (const { type, path, size, oid = '', lfs } of listFiles(params)) {
    if (type !== 'file') continue
    files.set(path, { path, size: lfs?.size ?? size, oid, ...(lfs && { sha256: lfs.oid }) })
  }
  return files
}

/** The address of a file's bytes. */
export function fileUrl({ url }: Connection, repo: string, commit: string, path: string): string {
  const escaped = path.split('/').map(encodeURIComponent).join('/')
  return `${url}/${repo}/resolve/${encodeURIComponent(commit)}/${escaped}`
}

/** What the hub's answers mean for the user. Anything else is returned as it is. */
export function explainHubError(error: unknown, repo: string): unknown {
  if (!(error instanceof HubApiError)) return error
  const { statusCode, message } = error
  if (statusCode === 401)
    return new Failure(`The hub does not accept the token for ${repo} (401).`, 'Set HF_TOKEN to a valid one.')
  if (statusCode === 403) {
    return new Failure(
      `The token may not write to ${repo} (403).`,
      'Use a token with write access, or a fine-grained one for this repository.',
    )
  }
  if (statusCode === 404)
    return new Failure(`The hub has no ${repo}, or not what was asked for in it (404).`, 'Check the name.')
  return new Failure(`The hub answers ${statusCode}: ${message}`, 'Run the same command again later.')
}
