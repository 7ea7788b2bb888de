// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import type { RepoCall } from './hub-routes.ts'
import { failure, json, type Reply, unknownRevision } from './reply.ts'
import { blobOid, type Commit, pointerTo, type Stored, sizeOf } from './repository.ts'
import { type HubState, isTrue, parseObject, readBody } from './state.ts'

/** GET /api/models/{id}/tree/{rev}[/path], in pages. */
export function sendTree({ repository, args, url, state }: RepoCall): Reply {
  const [revision = '', folder = ''] = args
  const commit = repository.resolve(revision)
  if (!commit) return unknownRevision(revision)
  const { searchParams } = url
  const paths = listing(commit, folder, isTrue(searchParams.get('recursive')))
  if (paths.length === 0 && folder !== '')
    return failure(404, `${folder} does not exist on "${revision}"`, 'EntryNotFound')
  const size = Math.min(state.pageSize, Number(searchParams.get('limit') ?? state.pageSize))
  const from = Number(searchParams.get('cursor') ?? 0)
  const withCommits = isTrue(searchParams.get('expand'))
  const entries = paths.slice(from, from + size).map((path) => entryOf(commit, path, withCommits, state))
  const next = new URL(url.pathname + url.search, state.urls.hub)
  next.searchParams.set('cursor', String(from + size))
  return json(entries, from + size < paths.length ? { link: `<${next.href}>; rel="next"` } : {})
}

/** POST /api/models/{id}/paths-info/{rev}, as JSON or as a form. */
export async function sendPaths({ request, repository, args, state }: RepoCall): Promise<Reply> {
  const [revision = ''] = args
  const body = (await readBody(request)).toString()
  const asked = request.headers['content-type']?.includes('json') ? parseObject(body) : formOf(body)
  if (!Array.isArray(asked?.['paths'])) return failure(400, 'paths must be an array')
  const commit = repository.resolve(revision)
  if (!commit) return unknownRevision(revision)
  const paths = asked['paths'].map((path) => String(path).replace(/\/$/, ''))
  const found = paths.filter((path) => commit.files.has(path) || isFolder(commit, path))
  return json(found.map((path) => entryOf(commit, path, asked['expand'] === true, state)))
}

/** What listings say about a file in large file storage. */
export function lfsOf(stored: Stored, nameOfHash: 'oid' | 'sha256'): { lfs?: object } {
  if (stored.kind === 'regular') return {}
  const { sha256, size } = stored
  return { lfs: { [nameOfHash]: sha256, size, pointerSize: pointerTo(stored).length } }
}

function formOf(body: string): Record<string, unknown> {
  const form = new URLSearchParams(body)
  return { paths: form.getAll('paths'), expand: isTrue(form.get('expand')) }
}

/** Folders too, each before what is in it. */
function listing(commit: Commit, folder: string, isRecursive: boolean): string[] {
  const start = folder === '' ? '' : `${folder.replace(/\/$/, '')}/`
  const found = new Set<string>()
  for (const path of commit.files.keys()) {
    if (!path.startsWith(start)) continue
    const names = path.slice(start.length).split('/')
    const depth = isRecursive ? names.length : 1
    for (let i = 1; i <= depth; i++) found.add(start + names.slice(0, i).join('/'))
  }
  return [...found].sort()
}

function isFolder(commit: Commit, path: string): boolean {
  return [...commit.files.keys()].some((file) => file.startsWith(`${path}/`))
}

function entryOf(commit: Commit, path: string, withCommit: boolean, state: HubState): object {
  const { oid: id, title, date } = commit
  const last = withCommit && { lastCommit: { id, title, date: date.toISOString() } }
  const stored = commit.files.get(path)
  if (!stored) return { type: 'directory', oid: folderOid(commit, path), size: 0, path, ...last }
  const xetHash = stored.kind === 'lfs' && state.isXet && state.xet.hashOf(stored.sha256)
  return {
    ...{ type: 'file', oid: blobOid(stored), size: sizeOf(stored), path },
    ...lfsOf(stored, 'oid'),
    ...(xetHash && { xetHash }),
    ...last,
  }
}

/** Not git's own, but as good a name for what is in it. */
function folderOid(commit: Commit, path: string): string {
  const hash = createHash('sha1')
  for (const [name, stored] of commit.files)
    if (name.startsWith(`${path}/`)) hash.update(`${name} ${blobOid(stored)}\n`)
  return hash.digest('hex')
}
