// SPDX-License-Identifier: Apache-2.0

import { once } from 'node:events'
import { createServer as createPlain, type RequestListener } from 'node:http'
import { createServer as createSecure } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { libraryToken } from '../../eval/dataset/hub-token.ts'
import { isOffline, send } from '../../eval/dataset/network.ts'
import { proxiesOf } from '../../eval/dataset/proxies.ts'
import { BusyError, fetchOnce, retrying, retryingFetch } from '../../eval/dataset/retrying-fetch.ts'
import { makeCertificate } from '../helpers/certificate.ts'
import { startProxy } from '../helpers/proxy.ts'

const NAMES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY']

beforeEach(() => {
  for (const name of [
    ...NAMES,
    ...NAMES.map((name) => name.toLowerCase()),
    'HF_HUB_OFFLINE',
    'TRANSFORMERS_OFFLINE',
  ])
    vi.stubEnv(name, undefined)
})
afterEach(() => vi.unstubAllEnvs())

/** @returns its port, and what it was asked for */
async function startServer(
  answer: RequestListener = (_, response) => response.end('hello'),
  tls?: { key: string; cert: string },
) {
  const requests: string[] = []
  const listen: RequestListener = (request, response) => {
    requests.push(`${request.method} ${request.url} ${request.headers.host}`)
    answer(request, response)
  }
  const server = tls ? createSecure(tls, listen) : createPlain(listen)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, requests }
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => ({}),
    ({ message, hint }: { message: string; hint: string }) => ({ message, hint }),
  )

describe('requests through a proxy', () => {
  it.each(['HTTP_PROXY', 'http_proxy', 'ALL_PROXY'])('of http name the whole address: %s', async (name) => {
    const [proxy, server] = [await startProxy(), await startServer()]
    vi.stubEnv(name, proxy.url)
    const response = await send(`http://127.0.0.1:${server.port}/a?b=c`, {})
    expect(await response.text()).toBe('hello')
    expect(proxy.requests).toEqual([`GET http://127.0.0.1:${server.port}/a`])
    expect(server.requests).toEqual([`GET /a?b=c 127.0.0.1:${server.port}`])
  })

  it.each(['HTTPS_PROXY', 'https_proxy'])('of https go through a tunnel: %s', async (name) => {
    const server = await startServer(undefined, makeCertificate('hub.test'))
    const proxy = await startProxy({ tunnelPort: server.port, user: 'me:a b@c' })
    vi.stubEnv(name, `http://me:a%20b%40c@${proxy.host}`)
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    vi.spyOn(process, 'emitWarning').mockReturnValue() // of Node, about that
    const body = new Blob(['x'.repeat(100_000)])
    const response = await send('https://hub.test/models', { method: 'POST', body })
    expect(await response.text()).toBe('hello')
    expect(proxy.requests).toEqual(['CONNECT hub.test:443'])
    expect(server.requests).toEqual(['POST /models hub.test'])
  })

  it('take the lower case first, an address without a scheme, and several at once', async () => {
    const [proxy, other] = [await startProxy(), await startProxy()]
    const server = await startServer()
    vi.stubEnv('HTTP_PROXY', other.url)
    vi.stubEnv('http_proxy', proxy.host)
    const asked = ['a', 'b', 'c'].map(async (path) =>
      (await send(`http://127.0.0.1:${server.port}/${path}`, {})).text(),
    )
    expect(await Promise.all(asked)).toEqual(['hello', 'hello', 'hello'])
    expect([proxy.requests.length, other.requests.length]).toEqual([3, 0])
  })

  it.each([
    ['127.0.0.1', false],
    ['other.test, 127.0.0.1', false],
    ['*', false],
    ['other.test,*', false],
    ['127.0.0.1:PORT', false],
    ['.0.0.1', false],
    ['127.0.0.1:1', true],
    ['27.0.0.1', true],
    ['localhost', true],
    ['', true],
  ])('leave out the hosts of NO_PROXY: %j', async (none, isProxied) => {
    const [proxy, server] = [await startProxy(), await startServer()]
    vi.stubEnv('HTTP_PROXY', proxy.url)
    for (const name of ['NO_PROXY', 'no_proxy']) {
      vi.stubEnv(name, none.replace('PORT', String(server.port)))
      await (await send(`http://127.0.0.1:${server.port}/`, {})).text()
      vi.stubEnv(name, undefined)
    }
    expect(proxy.requests.length).toBe(isProxied ? 2 : 0)
    expect(server.requests.length).toBe(2)
  })

  it.each(['http', 'https'])(
    'that it needs a password for are refused at once, without the one given: %s',
    async (scheme) => {
      const proxy = await startProxy({ user: 'me:right' })
      for (const name of ['HTTP_PROXY', 'HTTPS_PROXY'])
        vi.stubEnv(name, `http://me:wr0ngsecret@${proxy.host}`)
      const asked = await failure(retryingFetch({ firstWaitMs: 1 })(`${scheme}://hub.test/a?signature=1`))
      expect(asked).toEqual({
        message: `The proxy ${proxy.host} refuses this user for hub.test (407).`,
        hint: 'Give its user name and password in HTTPS_PROXY and HTTP_PROXY: user:password@ before the host.',
      })
      expect(proxy.requests.length).toBe(1)
      expect(proxy.authorizations).toEqual(
        new Set([`Basic ${Buffer.from('me:wr0ngsecret').toString('base64')}`]),
      )
    },
  )

  it('that it forbids are refused at once; those it fails at are tried again', async () => {
    const [strict, broken] = [await startProxy({ status: 403 }), await startProxy({ status: 502 })]
    vi.stubEnv('HTTPS_PROXY', strict.url)
    const ask = () => failure(retryingFetch({ firstWaitMs: 1 })('https://hub.test/'))
    expect(await ask()).toMatchObject({
      message: `The proxy ${strict.host} refuses the connection to hub.test (403).`,
    })
    expect(strict.requests.length).toBe(1)
    vi.stubEnv('HTTPS_PROXY', broken.url)
    expect(await ask()).toMatchObject({
      message: 'https://hub.test/ cannot be reached (Proxy response (502) !== 200 when HTTP Tunneling)',
    })
    expect(broken.requests.length).toBe(6)
  })

  it('that is not there is named, without its password', async () => {
    const server = createPlain().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const place = `127.0.0.1:${(server.address() as AddressInfo).port}`
    server.close()
    vi.stubEnv('HTTP_PROXY', `http://me:secret@${place}`)
    const ask = (url: string) => failure(retryingFetch({ firstWaitMs: 1 })(url))
    expect(await ask('http://hub.test/a?signature=1')).toMatchObject({
      message: `http://hub.test/a cannot be reached (ECONNREFUSED, at ${place})`,
    })
    vi.unstubAllEnvs()
    expect(await ask(`http://${place}/a`)).toMatchObject({
      message: `http://${place}/a cannot be reached (ECONNREFUSED)`,
    })
  })

  it.each(['socks5://me:secret@h:1', 'http://[', 'ftp://h', 'http://'])(
    'of another kind are refused, its address unseen: %s',
    async (address) => {
      expect(() => proxiesOf({ HTTPS_PROXY: address })).toThrow(
        /^HTTPS_PROXY is not the address of an HTTP proxy\.$/,
      )
      expect(() => proxiesOf({ all_proxy: address })).toThrow(/^ALL_PROXY is not the address/)
    },
  )

  it('are those of curl: an empty one in lower case means none', () => {
    expect(proxiesOf({ HTTP_PROXY: 'http://h:1', http_proxy: '', https_proxy: ' ' })).toBeUndefined()
    expect(proxiesOf({ HTTP_PROXY: 'h:1', NO_PROXY: 'a b,::1, fe80::2,c:8' })).toEqual({
      ...{ http: 'http://h:1', https: '', none: 'a,b,[::1],[fe80::2],c:8' },
    })
  })
})

describe('HF_HUB_OFFLINE', () => {
  it.each(['1', 'true', 'TRUE', 'yes', 'On'])('%s sends nothing', async (value) => {
    const server = await startServer()
    vi.stubEnv('HF_HUB_OFFLINE', value)
    const asked = await failure(
      retryingFetch({ firstWaitMs: 1 })(`http://127.0.0.1:${server.port}/a?b=secret`),
    )
    expect(asked).toEqual({
      message: `HF_HUB_OFFLINE is set, so http://127.0.0.1:${server.port}/a is not asked for.`,
      hint: 'Unset it to use the network; what an earlier run has kept in the cache is used without.',
    })
    expect(server.requests).toEqual([])
  })

  it('has the values of huggingface_hub, and its second name', () => {
    for (const value of ['', '0', 'false', 'off', 'no', '2', undefined])
      expect(isOffline({ HF_HUB_OFFLINE: value })).toBe(false)
    expect(isOffline({ TRANSFORMERS_OFFLINE: '1' })).toBe(true)
    expect(isOffline({ HF_HUB_OFFLINE: '0', TRANSFORMERS_OFFLINE: '1' })).toBe(false)
  })
})

describe('answers', () => {
  const HOUR = 3_600_000
  it.each([
    ['a date, an hour behind our clock', -HOUR, 5000, 5000],
    ['a date, an hour ahead of our clock', HOUR, 5000, 5000],
    ['a date that has passed', HOUR, -5000, 0],
  ])('that say later are waited for by their own clock: %s', async (_, skew, after, waitMs) => {
    const now = Math.floor(Date.now() / 1000) * 1000 + skew
    const headers = { date: new Date(now).toUTCString(), 'retry-after': new Date(now + after).toUTCString() }
    const server = await startServer((_, response) => response.writeHead(503, headers).end())
    const error = await fetchOnce(`http://127.0.0.1:${server.port}/`, {}).catch((error) => error)
    expect(error).toBeInstanceOf(BusyError)
    expect(error.waitMs).toBe(waitMs)
  })

  it.each([
    ['/api/models/me/tiny/revision/main', '/me/tiny', 403],
    ['/me/tiny/resolve/main/a.bin', '/me/tiny', 401],
    ['/api/datasets/me/tiny/tree/main', '/datasets/me/tiny', 403],
    ['/datasets/me/tiny/resolve/main/a.parquet', '/datasets/me/tiny', 401],
  ])('of a gated repository say whose terms, and where: %s', async (path, page, status) => {
    const server = await startServer((_, response) =>
      response.writeHead(status, { 'x-error-code': 'GatedRepo' }).end(),
    )
    const origin = `http://127.0.0.1:${server.port}`
    expect(await failure(fetchOnce(origin + path, {}))).toEqual({
      message: `me/tiny is gated: its terms must be accepted before it can be read (${status}).`,
      hint: `Accept them at ${origin}${page}, then set HF_TOKEN to a token of the same account, or run: hf auth login.`,
    })
  })

  it('of a host that nobody knows are tried twice, and of one that has answered six times', async () => {
    const unknown = Object.assign(new TypeError('fetch failed'), {
      cause: Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }),
    })
    const asked: string[] = []
    const answers = vi.spyOn(globalThis, 'fetch')
    onTestFinished(() => answers.mockRestore())
    const attempts = async (host: string) => {
      asked.length = 0
      const url = `http://${host}/`
      const attempt = () => {
        asked.push(host)
        return fetchOnce(url, {})
      }
      return { ...(await failure(retrying(attempt, { firstWaitMs: 1 }))), asked: asked.length }
    }
    answers.mockRejectedValue(unknown)
    expect(await attempts('nobody.test')).toEqual({
      message: 'http://nobody.test/ cannot be reached (ENOTFOUND)',
      hint: 'Check the network, then run the same command again: what was fetched is kept.',
      asked: 2,
    })
    answers.mockResolvedValueOnce(new Response('here'))
    expect(await attempts('somebody.test')).toMatchObject({ asked: 1 })
    expect(await attempts('somebody.test')).toMatchObject({ asked: 6 })
  })

  it('are requested with the token at the hub, where the library sends it, and nowhere else', async () => {
    const seen: (string | undefined)[] = []
    const server = await startServer((request, response) => {
      seen.push(request.headers.authorization)
      response.end()
    })
    const [hub, other] = [`http://127.0.0.1:${server.port}`, `http://localhost:${server.port}`]
    const ask = async (url: string, sent?: string) =>
      retryingFetch({ origin: hub, token: 'selfhosted' })(url, {
        headers: sent ? { authorization: `Bearer ${sent}` } : {},
      })
    const fromLibrary = libraryToken('selfhosted')
    await ask(hub, fromLibrary)
    await ask(hub) // a signed address
    await ask(hub, 'its-own')
    await ask(other, fromLibrary)
    await ask(other, 'selfhosted')
    await ask(other, 'its-own')
    const [real, own] = ['Bearer selfhosted', 'Bearer its-own']
    expect(seen).toEqual([real, undefined, own, undefined, undefined, own])
    expect(libraryToken('hf_as_it_is')).toBe('hf_as_it_is')
  })
})
