import { createHash } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

const COMMIT = '0123456789abcdef0123456789abcdef01234567'

export interface Hub {
  readonly url: string
  readonly commit: string
  /** "METHOD path" of every request */
  readonly requests: readonly string[]
}

/** A loopback stand-in for the part of the hub that downloads a model: model info, tree, HEAD and GET of files. */
export async function startHub(repo: string, files: ReadonlyMap<string, Uint8Array>): Promise<Hub> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').replace(/\?.*/, ''))
    requests.push(`${request.method} ${path}`)
    const file = [`/${repo}/resolve/${COMMIT}/`, `/${repo}/resolve/main/`].find((prefix) =>
      path.startsWith(prefix),
    )
    if (path === `/api/models/${repo}` || path.startsWith(`/api/models/${repo}/revision/`)) {
      if (path.endsWith('/revision/nope')) fail(response, 404, 'RevisionNotFound')
      else
        json(response, {
          id: repo,
          sha: COMMIT,
          siblings: [...files.keys()].map((rfilename) => ({ rfilename })),
        })
    } else if (path.startsWith(`/api/models/${repo}/tree/`)) {
      json(
        response,
        [...files].map(([name, bytes]) => ({
          type: 'file',
          path: name,
          size: bytes.length,
          oid: etag(bytes),
        })),
      )
    } else if (file) {
      const bytes = files.get(path.slice(file.length))
      if (bytes) send(response, bytes, request.method === 'HEAD', request.headers.range)
      else fail(response, 404, 'EntryNotFound')
    } else fail(response, 404, 'RepoNotFound')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, commit: COMMIT, requests }
}

function send(
  response: ServerResponse,
  bytes: Uint8Array,
  headOnly: boolean,
  range: string | undefined,
): void {
  const start = Number(/^bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0)
  const body = bytes.subarray(start)
  response.writeHead(range ? 206 : 200, {
    ETag: `"${etag(bytes)}"`,
    'X-Repo-Commit': COMMIT,
    'Content-Length': body.length,
    'Accept-Ranges': 'bytes',
    ...(range && { 'Content-Range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  })
  response.end(headOnly ? undefined : body)
}

function json(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(value))
}

function fail(response: ServerResponse, status: number, code: string): void {
  response
    .writeHead(status, { 'X-Error-Code': code, 'X-Error-Message': code })
    .end(JSON.stringify({ error: code }))
}

function etag(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}
