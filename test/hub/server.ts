// SPDX-License-Identifier: Apache-2.0

import { createReadStream } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Fault, type Seen, takeFault } from './faults.ts'
import { failure, lengthOf, type Reply } from './reply.ts'
import { type Call, type HubRequest, type HubState, readBody } from './state.ts'

export type Handler = (call: Call) => Reply | Promise<Reply>

export interface Listening {
  readonly port: number
  close(): Promise<void>
}

/** One of the hub's hosts: it notes every request, lets go wrong what shall go wrong, and has the rest answered. */
export async function listen(
  host: Seen['host'],
  address: string,
  handler: Handler,
  stateOf: () => HubState,
): Promise<Listening> {
  const server = createServer((request, response) => {
    answer(host, stateOf(), handler, request, response).catch(() => request.socket.destroy())
  })
  server.requestTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function answer(
  host: Seen['host'],
  state: HubState,
  handler: Handler,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? '', `http://${request.headers.host}`)
  const seen = note(host, url, request)
  state.requests.push(seen)
  const fault = takeFault(state.faults, seen)
  if (await preempt(fault, seen, request, response)) return
  const reply = await safely(() => handler({ request, url, seen, fault, state }), request)
  if (fault?.kind === 'lost-response') request.socket.resetAndDestroy()
  else await send(spoil(reply, fault), fault, seen, request, response)
}

function note(host: Seen['host'], url: URL, request: IncomingMessage): HubRequest {
  const { authorization, range } = request.headers
  const seen: HubRequest = {
    ...{ host, method: request.method ?? '', path: decodeURIComponent(url.pathname), query: url.search },
    ...(authorization !== undefined && { authorization }),
    ...(range !== undefined && { range }),
    ...{ received: 0, status: 0 },
  }
  // counted where the parser hands it over, so that nothing has to be read for it
  const push = request.push.bind(request)
  request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
    seen.received += chunk?.length ?? 0
    return push(chunk, encoding)
  }
  return seen
}

/** What is wrong with a request is told in the answer; there is none for a client that went away. */
async function safely(run: () => Reply | Promise<Reply>, request: IncomingMessage): Promise<Reply> {
  try {
    return await run()
  } catch (error) {
    if (request.destroyed && !request.complete) throw error
    return failure(500, `the stand-in failed: ${error instanceof Error ? error.stack : error}`)
  }
}

/** @returns whether the fault is all that happens to the request */
async function preempt(
  fault: Fault | undefined,
  seen: HubRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  if (fault?.kind === 'before') await fault.run()
  if (fault?.kind === 'status') {
    if (fault.readBody) await readBody(request)
    const { status, headers, body } = fault
    const reply = failure(status, `injected ${status}`)
    const changed = { status, headers: { ...reply.headers, ...headers }, body: body ?? reply.body }
    await send(changed, undefined, seen, request, response)
  }
  if (fault?.kind === 'reset') {
    if (fault.afterBytes > 0)
      for await (const _ of request.iterator({ destroyOnReturn: false }))
        if (seen.received >= fault.afterBytes) break
    request.socket.resetAndDestroy()
  }
  return fault?.kind === 'status' || fault?.kind === 'reset' || fault?.kind === 'stall'
}

function spoil(reply: Reply, fault: Fault | undefined): Reply {
  if (fault?.kind === 'gateway-timeout')
    return { status: 504, headers: { 'content-type': 'text/html' }, body: '<h1>504 Gateway Time-out</h1>' }
  const headers = { ...reply.headers }
  if (fault?.kind === 'missing-etag') delete headers['etag']
  const range = headers['content-range']
  if (fault?.kind === 'wrong-range' && range !== undefined)
    headers['content-range'] = range.replace(
      /(\d+)-(\d+)/,
      (_, start, end) => `${Number(start) + 1}-${Number(end) + 1}`,
    )
  return { ...reply, headers }
}

async function send(
  { status, headers, body }: Reply,
  fault: Fault | undefined,
  seen: HubRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const length = lengthOf(body)
  // for a HEAD the length that a GET would have, unless the answer is about something else
  response.writeHead(status, { 'content-length': length, ...headers })
  seen.status = status
  const isCut = fault?.kind === 'truncate' && fault.afterBytes < length
  const left = isCut ? fault.afterBytes : length
  if (request.method === 'HEAD' || length === 0) {
    response.end()
    return
  }
  response.flushHeaders()
  if (left > 0) await pipeline(streamOf(body, left), response, { end: !isCut })
  if (isCut) response.socket?.destroySoon()
}

function streamOf(body: Reply['body'], length: number): Readable {
  if (typeof body === 'string' || body instanceof Uint8Array)
    return Readable.from([Buffer.from(body).subarray(0, length)])
  const { file, start } = body
  return createReadStream(file, { start, end: start + length - 1, highWaterMark: 256 << 10 })
}
