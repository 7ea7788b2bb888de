// SPDX-License-Identifier: Apache-2.0

import { isIPv6 } from 'node:net'
import type { EnvHttpProxyAgent } from 'undici'
import { SpeechError } from '../runtime/speech-error.ts'

/* Proxies of the environment, for `fetch`. */

/** What the environment says of proxies. */
export interface Proxies {
  readonly http: string
  readonly https: string
  /** hosts that are reached directly, as HTTP_PROXY's other half */
  readonly none: string
}

/**
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY, each also in lower case, which goes first, and ALL_PROXY for those that are not set.
 * @returns undefined when there is no proxy
 * @throws SpeechError for an address that is not an HTTP proxy; it is not shown, since it may hold a password
 */
export function proxiesOf(env: NodeJS.ProcessEnv = process.env): Proxies | undefined {
  const value = (name: string) => env[name.toLowerCase()] ?? env[name]
  const [http, https] = ['HTTP_PROXY', 'HTTPS_PROXY'].map((name) =>
    value(name) === undefined ? address('ALL_PROXY', value('ALL_PROXY')) : address(name, value(name)),
  )
  if (!http && !https) return undefined
  return { http: http ?? '', https: https ?? '', none: directHosts(value('NO_PROXY')) }
}

let last: { readonly key: string; readonly client: Promise<typeof fetch> } | undefined

/** `fetch` by way of the proxies. One pool of connections serves all calls with the same ones. */
export function proxyFetch(proxies: Proxies): Promise<typeof fetch> {
  const key = JSON.stringify(proxies)
  if (last?.key !== key) last = { key, client: makeClient(proxies) }
  return last.client
}

/** The dispatcher and the fetch that uses it are of one version of undici; Node's own fetch is of another. */
async function makeClient({ http, https, none }: Proxies): Promise<typeof fetch> {
  const undici = await import('undici')
  const dispatcher: EnvHttpProxyAgent = new undici.EnvHttpProxyAgent({
    ...{ httpProxy: http, httpsProxy: https, noProxy: none },
    proxyTunnel: false, // many proxies allow CONNECT to port 443 alone: http is asked for as RFC 9112, section 3.2.2, says
  })
  const send = undici.fetch as unknown as (url: string, init: object) => Promise<Response>
  return (input, init) => send(input instanceof Request ? input.url : String(input), { ...init, dispatcher })
}

function address(name: string, value = ''): string {
  const text = value.trim()
  if (text === '') return ''
  const whole = text.includes('://') ? text : `http://${text}`
  if (URL.canParse(whole) && /^https?:$/.test(new URL(whole).protocol)) return whole
  throw new SpeechError(
    `${name} is not the address of an HTTP proxy.`,
    'Give http://host:port, with user:password@ before the host where the proxy needs them.',
  )
}

/** In the form that undici takes: `*` alone, addresses of IPv6 in brackets as in a URL. */
function directHosts(value = ''): string {
  const hosts = value.split(/[,\s]+/).filter((host) => host !== '')
  return hosts.includes('*') ? '*' : hosts.map((host) => (isIPv6(host) ? `[${host}]` : host)).join(',')
}
