// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

export const COMMIT = 'feedface00112233445566778899aabbccddeeff'
const CONVERTED = 'c0ffee0011223344556677889900aabbccddeeff'

/** What goes wrong with one request for bytes. */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  | { readonly kind: 'reset' | 'truncate' | 'stall' | 'slow' | 'whole-file' | 'wrong-range' }

export interface DatasetHub {
  /** HF_ENDPOINT */
  readonly url: string
  /** "METHOD path range" of what the hub was asked, and of what the storage was */
  readonly requests: string[]
  readonly stored: string[]
  /** authorization headers that each of the two hosts has seen */
  readonly authorizations: { readonly hub: Set<string>; readonly storage: Set<string> }
  /** for the next requests for bytes, in order */
  readonly faults: Fault[]
  /** all addresses of the storage given out so far stop working */
  expire(): void
  bytesSent(): number
}

export interface DatasetHubOptions {
  readonly repo: string
  /** by path in the repository; under `converted/` those of refs/convert/parquet */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** wanted for everything */
  readonly token?: string
  /** the second page of a tree is on the storage's host, as a hostile mirror would have it */
  readonly strayPages?: boolean
}

/**
 * A loopback stand-in of the hub for datasets: revisions, trees in pages of two, and files that redirect to a storage
 * on another host name with addresses that expire. Ranges are taken strictly.
 */
export async function startDatasetHub({
  repo,
  files,
  token,
  strayPages,
}: DatasetHubOptions): Promise<DatasetHub> {
  const state = { generation: 0, sent: 0 }
  const log = { requests: [] as string[], stored: [] as string[], faults: [] as Fault[] }
  const authorizations = { hub: new Set<string>(), storage: new Set<string>() }
  const of = (commit: string) =>
    new Map(
      [...files].flatMap(([path, bytes]) => {
        const isConverted = path.startsWith('converted/')
        if (isConverted !== (commit === CONVERTED)) return []
        return [[path.replace(/^converted\//, ''), bytes] as const]
      }),
    )
  const storage = await listen((request, response) => {
    authorizations.storage.add(request.headers.authorization ?? '')
    const url = new URL(request.url ?? '', 'http://localhost')
    log.stored.push(`${request.method} ${url.pathname} ${request.headers.range ?? ''}`)
    const bytes = files.get(decodeURIComponent(url.pathname.slice(1)))
    if (url.searchParams.get('signature') !== `secret-${state.generation}`) fail(response, 403)
    else if (!bytes) fail(response, 404)
    else state.sent += sendRange(request, response, bytes, log.faults.shift())
  })
  const placeOf = (name: string) =>
    `http://localhost:${storage.port}/${encodeURIComponent(name)}?signature=secret-${state.generation}`
  const hub = await listen((request, response) => {
    authorizations.hub.add(request.headers.authorization ?? '')
    const url = new URL(request.url ?? '', `http://${request.headers.host}`)
    const path = decodeURIComponent(url.pathname)
    log.requests.push(`${request.method} ${path}`)
    if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
      fail(response, 401)
      return
    }
    const revision = new RegExp(`^/api/datasets/${repo}/revision/(.+)$`).exec(path)?.[1]
    const tree = new RegExp(`^/api/datasets/${repo}/tree/([^/]+)/?(.*)$`).exec(path)
    const file = new RegExp(`^/datasets/${repo}/resolve/([^/]+)/(.+)$`).exec(path)
    const name = file && (file[1] === CONVERTED ? `converted/${file[2]}` : file[2])
    if (revision !== undefined) sendInfo(response, repo, revision, of)
    else if (tree) {
      const pages = strayPages ? `http://localhost:${storage.port}` : url.origin
      sendTree(response, url, of(tree[1] ?? ''), tree[2] ?? '', pages)
    } else if (name && files.has(name)) response.writeHead(302, { location: placeOf(name) }).end()
    else fail(response, 404)
  })
  return {
    ...{ url: `http://127.0.0.1:${hub.port}`, ...log, authorizations },
    expire: () => {
      state.generation++
    },
    bytesSent: () => state.sent,
  }
}

async function listen(handle: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  return { port: (server.address() as AddressInfo).port }
}

function sendInfo(
  response: ServerResponse,
  id: string,
  revision: string,
  filesOf: (commit: string) => ReadonlyMap<string, Uint8Array>,
): void {
  const sha = revision === 'refs/convert/parquet' ? CONVERTED : COMMIT
  const isKnown = ['main', 'refs/convert/parquet', COMMIT].includes(revision) && filesOf(sha).size > 0
  const counts = {
    private: false,
    gated: false,
    downloads: 0,
    likes: 0,
    lastModified: '2026-01-01T00:00:00.000Z',
  }
  if (isKnown) json(response, { _id: '1', id, sha, ...counts })
  else fail(response, 404)
}

/** Entries of one folder, two a page (https://huggingface.co/docs/hub/api, Link header). */
function sendTree(
  response: ServerResponse,
  url: URL,
  files: ReadonlyMap<string, Uint8Array>,
  folder: string,
  pages: string,
): void {
  const inside = [...files].filter(([path]) => path.slice(0, Math.max(0, path.lastIndexOf('/'))) === folder)
  if (inside.length === 0) {
    fail(response, 404)
    return
  }
  const from = Number(url.searchParams.get('cursor') ?? 0)
  const page = inside.slice(from, from + 2).map(([path, bytes]) => ({
    ...{ type: 'file', path, size: bytes.length },
    oid: createHash('sha1').update(bytes).digest('hex'),
  }))
  const next = new URL(url.pathname + url.search, pages)
  next.searchParams.set('cursor', String(from + 2))
  if (from + 2 < inside.length) response.setHeader('link', `<${next.href}>; rel="next"`)
  json(response, page)
}

/** @returns how many bytes went out */
function sendRange(
  request: IncomingMessage,
  response: ServerResponse,
  bytes: Uint8Array,
  fault: Fault | undefined,
): number {
  if (fault?.kind === 'status') {
    response.writeHead(fault.status, fault.headers).end('busy')
    return 0
  }
  if (fault?.kind === 'stall') return 0
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const [start, end] = [Number(first), Number(last) + 1]
  if (fault?.kind === 'whole-file' || first === undefined) {
    response.writeHead(200, { 'content-length': bytes.length }).end(bytes)
    return bytes.length
  }
  if (start >= bytes.length) {
    fail(response, 416)
    return 0
  }
  const body = bytes.subarray(start, end)
  const shift = fault?.kind === 'wrong-range' ? 1 : 0
  response.writeHead(206, {
    'content-length': body.length,
    'content-range': `bytes ${start + shift}-${end - 1 + shift}/${bytes.length}`,
  })
  if (fault?.kind === 'slow') {
    void drip(response, body)
    return body.length
  }
  if (fault?.kind === 'reset' || fault?.kind === 'truncate') {
    const half = body.subarray(0, body.length >> 1)
    response.write(half, () =>
      fault.kind === 'reset' ? response.socket?.resetAndDestroy() : response.socket?.end(),
    )
    return half.length
  }
  response.end(body)
  return body.length
}

/** The body in eight parts over a second: slow, never silent for long. */
async function drip(response: ServerResponse, body: Uint8Array): Promise<void> {
  const size = Math.ceil(body.length / 8)
  for (let at = 0; at < body.length; at += size) {
    response.write(body.subarray(at, at + size))
    await sleep(125)
  }
  response.end()
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
}

function fail(response: ServerResponse, status: number): void {
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ error: `status ${status}` }))
}
