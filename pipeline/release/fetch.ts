// SPDX-License-Identifier: Apache-2.0

import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { alias } from '../../graph-tools/alias.ts'
import type { Connection } from '../hub/connection.ts'
import { downloadFile } from '../hub/download.ts'
import { parseHubId } from '../hub/hub-id.ts'
import { commitOf, explainHubError, type RemoteFile, treeOf } from '../hub/repository.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { parseManifest } from './manifest.ts'
import type { Manifest, ReleaseFile } from './manifest-schema.ts'
import { MANIFEST } from './release-files.ts'
import type { Check } from './verify-release.ts'

/** What was found of a release on the hub, at the commit that its revision names. */
export interface Fetched {
  readonly commit: string
  readonly manifest: Manifest
  /** of what was not fetched, and of how the tree fits the manifest */
  readonly check: Check
}

interface Options {
  readonly hub: Connection
  /** owner/name[@revision] */
  readonly name: string
  readonly folder: string
  /** all by default */
  readonly variants?: readonly string[]
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * Fetch a published release into `folder`: manifest, documents, and the files of the variants. Archives hold the same
 * files once more and stay there; that the hub has them with the right size and hash is checked in its tree.
 * @throws Failure when there is no such repository, revision or manifest
 */
export async function fetchRelease(options: Options): Promise<Fetched> {
  const { hub, name, folder, emit, signal } = options
  const id = parseHubId(name)
  if (!id)
    throw new Failure(
      `${JSON.stringify(name)} is not a repository of the hub.`,
      'Give owner/name[@revision].',
      EXIT.usage,
    )
  const { repo, revision } = id
  const network = {
    signal,
    onRetry: (reason: string) => emit({ event: 'note', text: `${reason}; asking again` }),
  }
  try {
    const commit = await commitOf(hub, repo, revision, network)
    if (commit === undefined) throw notThere(repo, revision)
    const tree = await treeOf(hub, repo, commit, network)
    await mkdir(folder, { recursive: true })
    const progress = { done: 0, total: 0 }
    const fetch = (remote: RemoteFile) =>
      downloadFile(hub, repo, commit, remote, join(folder, remote.path), {
        ...network,
        onBytes: (count) => {
          progress.done += count
          emit({ event: 'progress', what: 'download', ...progress, unit: 'bytes' })
        },
      })
    const manifest = await fetchManifest(tree, `${repo}@${revision}`, folder, fetch)
    emit({ event: 'note', text: `${repo} is at commit ${commit}` })
    const wanted = wantedFiles(manifest, options.variants)
    const isLinked = ({ aliasOf }: ReleaseFile) => wanted.some(({ path }) => path === aliasOf)
    progress.total = wanted.reduce((sum, file) => sum + (isLinked(file) ? 0 : file.size), 0)
    progress.done = 0
    for (const file of wanted) await fetchFile(file, tree, folder, wanted, fetch)
    return { commit, manifest, check: treeCheck(manifest, tree) }
  } catch (error) {
    throw explainHubError(error, repo)
  }
}

type Fetch = (remote: RemoteFile) => Promise<void>

async function fetchManifest(
  tree: ReadonlyMap<string, RemoteFile>,
  where: string,
  folder: string,
  fetch: Fetch,
): Promise<Manifest> {
  const remote = tree.get(MANIFEST)
  if (!remote)
    throw new Failure(
      `${where} is not a release of this project: it has no ${MANIFEST}.`,
      'Name another revision.',
    )
  await fetch(remote)
  return parseManifest(await readFile(join(folder, MANIFEST), 'utf8'), `${MANIFEST} of ${where}`)
}

function wantedFiles({ files }: Manifest, variants: readonly string[] | undefined): ReleaseFile[] {
  return files.filter(
    (file) =>
      file.role !== 'archive' &&
      (file.role === 'documentation' ||
        (variants?.some((variant) => file.variants.includes(variant)) ?? true)),
  )
}

/** A second name of a file that is there is a link. */
async function fetchFile(
  { path, size, aliasOf }: ReleaseFile,
  tree: ReadonlyMap<string, RemoteFile>,
  folder: string,
  wanted: readonly ReleaseFile[],
  fetch: Fetch,
): Promise<void> {
  const remote = tree.get(path)
  if (!remote || remote.size !== size) return // the checks name it
  const target = aliasOf === undefined ? undefined : tree.get(aliasOf)
  const isSame = target?.sha256 !== undefined && target.sha256 === remote.sha256
  if (isSame && wanted.some((file) => file.path === aliasOf))
    await alias(join(folder, aliasOf ?? ''), join(folder, path))
  else await fetch(remote)
}

/** What the repository says of its files, against the manifest. */
function treeCheck({ files }: Manifest, tree: ReadonlyMap<string, RemoteFile>): Check {
  const problems = files.flatMap(({ path, size, sha256, role }) => {
    const remote = tree.get(path)
    if (!remote) return role === 'archive' ? [] : [`${path} is in the manifest, but not in the repository.`]
    if (remote.size !== size) return [`${path} has ${remote.size} bytes in the repository, wanted ${size}.`]
    if (remote.sha256 !== undefined && remote.sha256 !== sha256)
      return [`${path} has another sha256 in the repository than in the manifest.`]
    return []
  })
  return { check: 'repository', found: `${tree.size} files`, problems }
}

function notThere(repo: string, revision: string): Failure {
  return new Failure(
    `The hub has no model ${repo} at ${revision}, or you may not see it.`,
    'Check the name; set HF_TOKEN for a private one.',
  )
}
