// SPDX-License-Identifier: Apache-2.0

import { createServer, request as forward, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Proxy {
  /** host:port */
  readonly host: string
  readonly url: string
  /** "METHOD address" of everything that came by, for a tunnel "CONNECT host:port" */
  readonly requests: string[]
  /** Proxy-Authorization headers that it has seen */
  readonly authorizations: Set<string>
}

export interface ProxyOptions {
  /** user:password, without which it answers 407 */
  readonly user?: string
  /** answered to everything */
  readonly status?: number
  /** where every tunnel leads; by default to its address */
  readonly tunnelPort?: number
}

/** An HTTP proxy: whole addresses as RFC 9112, section 3.2.2, has them, and tunnels (RFC 9110, section 9.3.6). */
export async function startProxy({ user, status, tunnelPort }: ProxyOptions = {}): Promise<Proxy> {
  const requests: string[] = []
  const authorizations = new Set<string>()
  const wanted = user && `Basic ${Buffer.from(user).toString('base64')}`
  const refusal = ({ method, url, headers }: IncomingMessage) => {
    requests.push(`${method} ${url?.replace(/\?.*/, '')}`)
    const given = headers['proxy-authorization'] ?? ''
    authorizations.add(given)
    return status ?? (wanted === undefined || given === wanted ? undefined : 407)
  }
  const server = createServer((request, response) => {
    const refused = refusal(request)
    if (refused !== undefined) response.writeHead(refused).end()
    else pass(request, response)
  })
  server.on('connect', (request, client) => {
    const refused = refusal(request)
    client.on('error', () => undefined)
    if (refused !== undefined) {
      client.end(`HTTP/1.1 ${refused} Refused\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    const [host = '', port] = request.url?.split(':') ?? []
    const target = connect(tunnelPort ?? Number(port), tunnelPort ? '127.0.0.1' : host, () => {
      client.write('HTTP/1.1 200 Connected\r\n\r\n')
      target.pipe(client).pipe(target)
    })
    target.on('error', () => client.destroy())
    client.on('close', () => target.destroy())
    sockets.add(target)
  })
  const sockets = new Set<{ destroy(): unknown }>()
  server.on('connection', (socket) => sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise<void>((resolve) => server.close(() => resolve()))
  })
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { host, url: `http://${host}`, requests, authorizations }
}

function pass(request: IncomingMessage, response: ServerResponse): void {
  const { 'proxy-authorization': _, ...headers } = request.headers
  const { method } = request
  const out = forward(request.url ?? '', { ...(method && { method }), headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
    answer.on('error', () => response.destroy())
  })
  out.on('error', () => response.destroy())
  request.pipe(out)
}
