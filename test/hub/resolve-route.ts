// SPDX-License-Identifier: Apache-2.0

import { rangeReply } from './byte-range.ts'
import type { RepoCall } from './hub-routes.ts'
import { failure, json, type Reply, unknownRevision } from './reply.ts'
import { blobOid, type Stored } from './repository.ts'

const FILE_INFO = 'application/vnd.xet-fileinfo+json'

/** GET and HEAD /{id}/resolve/{rev}/{path}: the bytes, or where the object is. */
export function resolveFile(call: RepoCall): Reply {
  const { request, repository, args } = call
  const [revision = '', path = ''] = args
  const commit = repository.resolve(revision)
  if (!commit) return unknownRevision(revision)
  const common = { 'x-repo-commit': commit.oid }
  const stored = commit.files.get(path)
  if (!stored) {
    const reply = failure(404, 'Entry not found', 'EntryNotFound')
    return { ...reply, headers: { ...reply.headers, ...common } }
  }
  if (stored.kind === 'lfs') return redirect(call, stored, common)
  const headers = { ...common, 'content-type': 'text/plain; charset=utf-8', etag: `"${blobOid(stored)}"` }
  return rangeReply(stored.bytes, request.headers.range, headers)
}

function redirect(
  { request, repository, args, state }: RepoCall,
  { sha256, size }: Stored & { kind: 'lfs' },
  common: Readonly<Record<string, string>>,
): Reply {
  const headers = { ...common, 'x-linked-size': String(size), 'x-linked-etag': `"${sha256}"` }
  const location = state.signer.sign('GET', `${state.urls.storage}/objects/${sha256}`)
  const plain = { status: 302, headers: { ...headers, location, vary: 'Accept' }, body: '' }
  const hash = state.isXet ? state.xet.hashOf(sha256) : undefined
  if (hash === undefined) return plain
  const refreshUrl = `${state.urls.hub}/api/models/${repository.id}/xet-read-token/${encodeURIComponent(args[0] ?? '')}`
  const reconstructionUrl = `${state.urls.cas}/v1/reconstructions/${hash}`
  const link = `<${refreshUrl}>; rel="xet-auth", <${reconstructionUrl}>; rel="xet-reconstruction-info"`
  const xet = { ...headers, 'x-xet-hash': hash, link }
  if (!request.headers.accept?.includes(FILE_INFO)) return { ...plain, headers: { ...plain.headers, ...xet } }
  return json(
    { hash, refreshUrl, reconstructionUrl, size, etag: `"${sha256}"` },
    { ...xet, 'content-type': FILE_INFO, etag: `"${sha256}"` },
  )
}
