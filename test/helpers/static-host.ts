// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
}

/** A plain host of static files below /page/, which sends no headers but their types. */
export async function startStaticHost(
  folder: string,
): Promise<{ readonly url: string; readonly asked: string[]; close(): Promise<void> }> {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const name =
      new URL(request.url ?? '/', 'http://localhost').pathname.replace(/^\/page\//, '') || 'index.html'
    asked.push(name)
    const bytes = await readFile(join(folder, name)).catch(() => undefined)
    if (bytes === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/octet-stream' }).end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/page/`,
    asked,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
