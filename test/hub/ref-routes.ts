// SPDX-License-Identifier: Apache-2.0

import type { RepoCall } from './hub-routes.ts'
import { failure, json, type Reply, unknownRevision } from './reply.ts'
import { blobOid, Repository, sizeOf } from './repository.ts'
import { type Call, isTrue, readObject } from './state.ts'
import { lfsOf } from './tree-routes.ts'

/** POST /api/repos/create. */
export async function createRepo({ request, state }: Call): Promise<Reply> {
  const {
    name,
    organization,
    type = 'model',
    visibility,
    private: isPrivate,
  } = (await readObject(request)) ?? {}
  if (type !== 'model') return failure(400, `there are only models here, no ${type}`)
  if (typeof name !== 'string' || !/^[\w.-]{1,96}$/.test(name)) return failure(400, 'Invalid repository name')
  const namespace = organization ?? state.user
  if (namespace !== state.user)
    return failure(403, `You don't have the rights to create a model under the namespace "${namespace}"`)
  const id = `${namespace}/${name}`
  const url = `${state.urls.hub}/${id}`
  if (state.repositories.has(id)) {
    const error = 'You already created this model repo'
    return json({ error, url }, { 'x-error-message': error }, 409)
  }
  state.repositories.set(id, new Repository(id, visibility === 'private' || isPrivate === true))
  return json({ url, id, name: id })
}

/** GET /api/models/{id}[/revision/{rev}]. */
export function sendInfo({ repository, args, url }: RepoCall): Reply {
  const [revision = 'main'] = args
  const commit = repository.resolve(revision)
  if (!commit) return unknownRevision(revision)
  const withBlobs = isTrue(url.searchParams.get('blobs'))
  const siblings = [...commit.files].map(([rfilename, stored]) => ({
    rfilename,
    ...(withBlobs && { size: sizeOf(stored), blobId: blobOid(stored), ...lfsOf(stored, 'sha256') }),
  }))
  const { id } = repository
  return json({
    ...{ _id: createId(id), id, modelId: id, author: id.split('/')[0], sha: commit.oid },
    ...{ private: repository.private, gated: false, disabled: false, downloads: 0, likes: 0, tags: [] },
    ...{
      lastModified: commit.date.toISOString(),
      createdAt: commit.date.toISOString(),
      siblings,
      spaces: [],
    },
  })
}

/** GET /api/models/{id}/refs. */
export function sendRefs({ repository, url }: RepoCall): Reply {
  const list = (refs: ReadonlyMap<string, string>, prefix: string) =>
    [...refs].map(([name, targetCommit]) => ({ name, ref: `${prefix}${name}`, targetCommit }))
  return json({
    branches: list(repository.branches, 'refs/heads/'),
    converts: [],
    tags: list(repository.tags, 'refs/tags/'),
    ...(url.searchParams.has('include_prs') && { pullRequests: list(repository.pullRequests, '') }),
  })
}

/** GET /api/models/{id}/commits/{rev}, newest first, in pages. */
export function sendCommits({ repository, args, url, state }: RepoCall): Reply {
  const [revision = ''] = args
  const commit = repository.resolve(revision)
  if (!commit) return unknownRevision(revision)
  const all = repository.history(commit)
  const limit = Math.min(1000, Number(url.searchParams.get('limit') ?? 50))
  const page = Number(url.searchParams.get('p') ?? 0)
  const authors = [{ user: state.user, avatar: '' }]
  const commits = all.slice(page * limit, (page + 1) * limit).map(({ oid, title, description, date }) => ({
    ...{ id: oid, title, message: description, authors, date: date.toISOString() },
  }))
  const next = new URL(url.pathname + url.search, state.urls.hub)
  next.searchParams.set('p', String(page + 1))
  return json(commits, (page + 1) * limit < all.length ? { link: `<${next.href}>; rel="next"` } : {})
}

/** POST /api/models/{id}/branch/{name}. */
export async function addBranch({ request, repository, args }: RepoCall): Promise<Reply> {
  const [name = ''] = args
  const { startingPoint, emptyBranch, overwrite } = (await readObject(request)) ?? {}
  const isThere = repository.branches.has(name)
  if (isThere && overwrite !== true) return failure(409, `Reference already exists: refs/heads/${name}`)
  // only asked to overwrite, with what is not said: nothing to do
  if (isThere && startingPoint === undefined && emptyBranch !== true) return json({})
  if (emptyBranch === true) {
    repository.addEmptyBranch(name)
    return json({})
  }
  const start = startingPoint ?? 'main'
  const commit = typeof start === 'string' ? repository.resolve(start) : undefined
  if (!commit) return unknownRevision(String(start))
  repository.branches.set(name, commit.oid)
  return json({})
}

/** POST /api/models/{id}/tag/{rev}. */
export async function addTag({ request, repository, args }: RepoCall): Promise<Reply> {
  const [revision = ''] = args
  const { tag } = (await readObject(request)) ?? {}
  if (typeof tag !== 'string' || tag === '') return failure(400, 'a tag needs a name')
  const commit = repository.resolve(revision)
  if (!commit) return unknownRevision(revision)
  if (repository.tags.has(tag)) return failure(409, `Tag reference exists already: refs/tags/${tag}`)
  repository.tags.set(tag, commit.oid)
  return json({})
}

/** 24 hex digits, as the database behind the hub has them. */
function createId(id: string): string {
  return Buffer.from(id).toString('hex').padEnd(24, '0').slice(0, 24)
}
