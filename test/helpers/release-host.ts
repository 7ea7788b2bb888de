// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/** What goes wrong with requests for a file, as often as it says. */
export interface HostFault {
  readonly file: string
  times: number
  /** the connection dies after so many bytes of the answer */
  readonly cutAfter?: number
  /** this byte of the answer is another one */
  readonly wrongByte?: number
  readonly status?: number
  /** the answer stops after some bytes, and nothing follows */
  readonly stallAfter?: number
}

export interface ReleaseHost {
  /** address of the hub */
  readonly url: string
  /** files that were asked for, with their ranges */
  readonly requests: { readonly file: string; readonly range: string }[]
  readonly faults: HostFault[]
  /** files that are other than those of the folder; undefined stands for none */
  readonly instead: Map<string, string | undefined>
  /** of the files; manifest.json has none on the hub either */
  isRanged: boolean
  close(): Promise<void>
}

/**
 * The hub as a page sees it: files of a model directory at /OWNER/NAME/resolve/REVISION/FILE, which lead to another host that
 * serves ranges to all pages.
 * @param folder with `release/manifest.json`
 */
export async function startReleaseHost(folder: string): Promise<ReleaseHost> {
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const host: ReleaseHost = {
    ...{ url: `http://127.0.0.1:${port}`, requests: [], faults: [], instead: new Map(), isRanged: true },
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader('access-control-allow-origin', '*')
    const url = new URL(request.url ?? '/', host.url)
    const [, file] = /^\/[^/]+\/[^/]+\/resolve\/[^/]+\/(.+)$/.exec(url.pathname) ?? []
    if (file !== undefined)
      return void response.writeHead(302, { location: `http://localhost:${port}/storage/${file}` }).end()
    await send(url.pathname.replace(/^\/storage\//, ''), request, response)
  }
  async function send(file: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { range = '' } = request.headers
    host.requests.push({ file, range })
    const fault = host.faults.find((one) => one.file === file && one.times > 0)
    if (fault) fault.times--
    if (fault?.status !== undefined) return void response.writeHead(fault.status).end()
    const bytes = await contentOf(file)
    if (bytes === undefined) return void response.writeHead(404).end()
    const [, first = '', last = ''] = (host.isRanged && /^bytes=(\d+)-(\d+)$/.exec(range)) || []
    const isPart = first !== ''
    const part = isPart ? bytes.subarray(Number(first), Number(last) + 1) : bytes
    const sent = fault?.wrongByte === undefined ? part : withWrongByte(part, fault.wrongByte)
    response.writeHead(isPart ? 206 : 200, { 'content-length': sent.length })
    const most = fault?.cutAfter ?? fault?.stallAfter
    if (most === undefined) return void response.end(sent)
    response.write(sent.subarray(0, most))
    // what a browser has not read yet is lost with the connection
    if (fault?.cutAfter !== undefined) setTimeout(() => response.destroy(), 200)
  }
  async function contentOf(file: string): Promise<Buffer | undefined> {
    if (host.instead.has(file)) {
      const text = host.instead.get(file)
      return text === undefined ? undefined : Buffer.from(text)
    }
    if (file.includes('/')) return undefined // a release has no folders on the hub
    const path = join(folder, file === 'manifest.json' ? 'release/manifest.json' : file)
    return readFile(path).catch(() => undefined)
  }
  return host
}

function withWrongByte(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}
