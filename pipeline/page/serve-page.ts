// SPDX-License-Identifier: Apache-2.0

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { EXIT, Failure } from '../shared/failure.ts'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
}

/** With both, a page may share memory between threads (HTML standard, "cross-origin isolation"). */
const ISOLATION = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
}

/**
 * Serve a folder to this machine alone.
 * @param port 0 for any that is free
 * @throws Failure when the port is taken
 */
export async function servePage(
  folder: string,
  port: number,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    answer(folder, request, response).catch(() => response.destroy())
  })
  await listen(server, port)
  const address = server.address()
  const bound = typeof address === 'object' && address !== null ? address.port : port
  return {
    url: `http://localhost:${bound}/`,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE'
      reject(
        isTaken ? new Failure(`Port ${port} is in use.`, 'Give another: --serve PORT.', EXIT.failed) : error,
      )
    })
    server.listen(port, '127.0.0.1', resolve)
  })
}

async function answer(folder: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = nameOf(request.url ?? '/')
  const file = join(folder, name)
  const info = await stat(file).catch(() => undefined)
  if (!info?.isFile()) return void response.writeHead(404, ISOLATION).end('There is no such file.\n')
  const range = rangeOf(request.headers.range, info.size)
  if (range && range.start >= info.size)
    return void response.writeHead(416, { ...ISOLATION, 'content-range': `bytes */${info.size}` }).end()
  const { start, end } = range ?? { start: 0, end: info.size }
  response.writeHead(range ? 206 : 200, {
    ...ISOLATION,
    'accept-ranges': 'bytes',
    'cache-control': 'no-cache',
    'content-length': end - start,
    'content-type': TYPES[extname(name)] ?? 'application/octet-stream',
    ...(range && { 'content-range': `bytes ${start}-${end - 1}/${info.size}` }),
  })
  if (request.method === 'HEAD' || start === end) return void response.end()
  await pipeline(createReadStream(file, { start, end: end - 1 }), response)
}

/** Below the folder, whatever is asked for: an absolute path has nothing above it. '' for what is not an address. */
function nameOf(url: string): string {
  try {
    const path = normalize(`/${decodeURIComponent(url.replace(/[?#].*$/, ''))}`)
    return path.endsWith('/') ? `${path}index.html` : path
  } catch {
    return ''
  }
}

/** One range of bytes; undefined where none is asked for. An empty one begins behind the end of the file. */
function rangeOf(header: string | undefined, size: number): { start: number; end: number } | undefined {
  const [, first, last = ''] = /^bytes=(\d+)-(\d*)$/.exec(header ?? '') ?? []
  if (first === undefined) return undefined
  const start = Number(first)
  return { start, end: Math.max(start, last === '' ? size : Math.min(size, Number(last) + 1)) }
}
