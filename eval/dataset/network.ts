// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'
import { type Proxies, proxiesOf, proxyFetch } from './proxies.ts'

/* Where every request of the project leaves. */

/** As huggingface_hub reads a switch. */
const TRUE = new Set(['1', 'ON', 'YES', 'TRUE'])

/** What was asked for would have needed the network. */
export class OfflineError extends SpeechError {
  constructor(what: string) {
    super(
      `HF_HUB_OFFLINE is set, so ${what}.`,
      'Unset it to use the network; what an earlier run has kept in the cache is used without.',
    )
  }
}

/**
 * Whether the environment forbids the network, by HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE.
 * @see https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables#hfhuboffline
 */
export function isOffline(env: NodeJS.ProcessEnv = process.env): boolean {
  return TRUE.has((env['HF_HUB_OFFLINE'] || env['TRANSFORMERS_OFFLINE'] || '').toUpperCase())
}

/**
 * `fetch` by way of the environment's proxies.
 * @throws OfflineError before anything is sent; SpeechError when a proxy refuses, and for a repository whose terms nobody has accepted;
 * else as `fetch` does
 */
export async function send(url: string | URL, init: RequestInit): Promise<Response> {
  if (isOffline()) throw new OfflineError(`${withoutQuery(url)} is not asked for`)
  const proxies = proxiesOf()
  const answering = proxies ? (await proxyFetch(proxies))(url, init) : fetch(url, init)
  const response = await answering.catch((error) => {
    throw proxies ? explainProxy(error, url, proxies) : error
  })
  if (response.headers.get('x-error-code') !== 'GatedRepo') return response
  await response.body?.cancel()
  throw gatedError(new URL(url), response.status)
}

/** Presigned addresses carry their secret behind the question mark. */
export function withoutQuery(url: string | URL): string {
  return String(url).replace(/\?.*/s, '')
}

/** What is behind the faults of undici, which wraps its own errors in others. */
export function rootCause(error: unknown): NodeJS.ErrnoException {
  const cause = error instanceof Error ? error.cause : undefined
  if (cause !== undefined) return rootCause(cause)
  return error instanceof Error ? error : new Error(String(error))
}

/** undici gives the status of a proxy in its message only. A proxy that is busy or lost its way may be tried again. */
function explainProxy(error: unknown, url: string | URL, { http, https }: Proxies): unknown {
  const { message } = rootCause(error)
  const status = Number(
    /Proxy response \((\d{3})\)|Proxy Authentication Required \((407)\)/
      .exec(message)
      ?.slice(1)
      .find(Boolean),
  )
  const { host, protocol } = new URL(url)
  const proxy = new URL((protocol === 'https:' && https) || http || https).host
  if (status === 407)
    return new SpeechError(
      `The proxy ${proxy} refuses this user for ${host} (407).`,
      'Give its user name and password in HTTPS_PROXY and HTTP_PROXY: user:password@ before the host.',
    )
  if (status >= 400 && status < 500)
    return new SpeechError(
      `The proxy ${proxy} refuses the connection to ${host} (${status}).`,
      'Ask its administrator, or name the host in NO_PROXY to reach it directly.',
    )
  return error
}

/** @param url of the hub's API or of a file; the terms are on the repository's page */
function gatedError({ origin, pathname }: URL, status: number): SpeechError {
  const path = pathname.replace(/^\/api\/(?:models\/)?/, '/')
  const [, page = '', repo = ''] = /^(\/(?:datasets\/|spaces\/)?([^/]+\/[^/]+))/.exec(path) ?? []
  return new SpeechError(
    `${repo} is gated: its terms must be accepted before it can be read (${status}).`,
    `Accept them at ${origin}${page}, then set HF_TOKEN to a token of the same account, or run: hf auth login.`,
  )
}
