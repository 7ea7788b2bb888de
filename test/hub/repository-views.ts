// SPDX-License-Identifier: Apache-2.0

import { blobOid, isLarge, Repository, type Stored, sizeOf } from './repository.ts'
import type { HubState } from './state.ts'

export interface HubFile {
  readonly size: number
  /** git's */
  readonly oid: string
  /** in large file storage: its sha256 */
  readonly lfs?: { readonly oid: string; readonly size: number }
}

export interface HubCommit {
  readonly oid: string
  readonly parent: string | undefined
  readonly title: string
  readonly description: string
}

type Contents = Readonly<Record<string, string | Uint8Array | null>>

/** What tests see of the repositories, and do to them, behind the clients' backs. */
export function repositoryViews(state: HubState) {
  const repositoryOf = (id: string) => {
    const found = state.repositories.get(id)
    if (!found) throw new Error(`there is no repository ${id}`)
    return found
  }
  const commitOf = (id: string, revision = 'main') => {
    const found = repositoryOf(id).resolve(revision)
    if (!found) throw new Error(`${id} has no revision ${revision}`)
    return found
  }
  const commit = (id: string, contents: Contents, title: string) => {
    const files = new Map(
      Object.entries(contents).map(([path, content]) => [
        path,
        store(state, repositoryOf(id), path, content),
      ]),
    )
    return repositoryOf(id).commit('main', { title, files }).oid
  }
  return {
    createRepo(id: string, options: { private?: boolean; files?: Contents } = {}): void {
      if (state.repositories.has(id)) throw new Error(`there is a repository ${id} already`)
      state.repositories.set(id, new Repository(id, options.private ?? false))
      if (options.files) commit(id, options.files, 'files')
    },
    repo: (id: string) => state.repositories.get(id),
    head: (id: string, revision?: string) => commitOf(id, revision).oid,
    tree: (id: string, revision?: string) =>
      new Map([...commitOf(id, revision).files].map(([path, stored]) => [path, fileOf(stored)])),
    async read(id: string, path: string, revision?: string): Promise<Buffer> {
      const stored = commitOf(id, revision).files.get(path)
      if (!stored) throw new Error(`${id} has no file ${path}`)
      return stored.kind === 'regular' ? stored.bytes : state.objects.read(stored.sha256)
    },
    commits: (id: string, revision?: string): HubCommit[] =>
      repositoryOf(id)
        .history(commitOf(id, revision))
        .map(({ oid, parent, title, description }) => ({ oid, parent, title, description })),
    commitElsewhere: (id: string, contents: Contents, title = 'from elsewhere') =>
      commit(id, contents, title),
  }
}

function store(
  state: HubState,
  repository: Repository,
  path: string,
  content: string | Uint8Array | null,
): Stored | null {
  if (content === null) return null
  const bytes = Buffer.from(content)
  const head = repository.tip('main')
  if (!head || bytes.length === 0 || !isLarge(head, path, bytes.length)) return { kind: 'regular', bytes }
  return { kind: 'lfs', sha256: state.objects.put(bytes), size: bytes.length }
}

function fileOf(stored: Stored): HubFile {
  const common = { size: sizeOf(stored), oid: blobOid(stored) }
  if (stored.kind === 'regular') return common
  return { ...common, lfs: { oid: stored.sha256, size: stored.size } }
}
