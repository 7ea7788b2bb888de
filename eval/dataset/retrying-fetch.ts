// SPDX-License-Identifier: Apache-2.0

import { setTimeout as sleep } from 'node:timers/promises'
import { SpeechError } from '../runtime/speech-error.ts'
import { authorized } from './hub-token.ts'
import { rootCause, send, withoutQuery } from './network.ts'
import { proxiesOf } from './proxies.ts'

const ATTEMPTS = 6
/** For a host that has no address and has not answered yet: there is no network, or its name is wrong. */
const NAME_ATTEMPTS = 2
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 60_000
/** The hub counts requests in windows of five minutes, and says how long one still is. */
const LONGEST_ASKED_MS = 330_000
const TRANSIENT = new Set([408, 429, 500, 502, 503, 504])

/** How requests are repeated, and who may see the token. */
export interface RetryOptions {
  readonly signal?: AbortSignal
  /** for tests: how long the first wait is */
  readonly firstWaitMs?: number
  /** the only origin that may see the token */
  readonly origin?: string
  /** what the library's token stands for */
  readonly token?: string
  /** called before each wait */
  readonly onRetry?: (reason: string) => void
}

/** What went wrong on the way, and may go right another time. */
export class TransientError extends SpeechError {
  /** how often it is worth trying */
  readonly attempts: number

  constructor(message: string, attempts = ATTEMPTS) {
    super(message, 'Check the network, then run the same command again: what was fetched is kept.')
    this.attempts = attempts
  }
}

/**
 * Do something over the network, again after transient faults: busy and broken servers, resets, stalls. Waits double,
 * with jitter, unless the server says how long (`Retry-After`; `t=` of the hub's `RateLimit`).
 * @throws the last fault after six attempts (two for an unknown host that never answered); anything that is not transient at once; the signal's reason
 */
export async function retrying<T>(attempt: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt()
    } catch (error) {
      options.signal?.throwIfAborted()
      const attempts = error instanceof TransientError ? error.attempts : ATTEMPTS
      if (tries >= attempts || !isTransient(error)) throw error
      const asked = error instanceof BusyError ? error.waitMs : undefined
      const own = (options.firstWaitMs ?? FIRST_WAIT_MS) * 2 ** (tries - 1) * (0.75 + Math.random() / 2)
      const wait = asked === undefined ? Math.min(own, LONGEST_WAIT_MS) : Math.min(asked, LONGEST_ASKED_MS)
      options.onRetry?.((error as Error).message)
      await sleep(wait, undefined, options.signal && { signal: options.signal }).catch((aborted) => {
        options.signal?.throwIfAborted() // its reason, and not that a timer was aborted
        throw aborted
      })
    }
  }
}

/**
 * `fetch` that throws a {@link TransientError} for answers that are worth asking for again.
 * @param transient statuses of these; a {@link BusyError} has the seconds to wait that the server names
 */
export async function fetchOnce(
  url: string | URL,
  init: RequestInit,
  transient: ReadonlySet<number> = TRANSIENT,
): Promise<Response> {
  const response = await send(url, init).catch((error) => {
    throw isNetworkFault(error) ? unreachableError(url, error) : error
  })
  answered.add(new URL(url).host)
  if (!transient.has(response.status)) return response
  await response.body?.cancel()
  throw new BusyError(
    `${withoutQuery(url)} answers ${response.status} ${response.statusText}`,
    askedWait(response),
  )
}

/** `fetch` with retries, for libraries that take one. Only for requests that may be sent twice. */
export function retryingFetch(options: RetryOptions = {}): typeof fetch {
  return (input, init) => {
    const url = input instanceof Request ? input.url : input
    const headers = authorized(url, init?.headers, options)
    const signal = options.signal && { signal: options.signal }
    return retrying(() => fetchOnce(url, { ...init, headers, ...signal }), options)
  }
}

/** Hosts that this process had an answer from. */
const answered = new Set<string>()

/** An answer that says: later. */
export class BusyError extends TransientError {
  readonly waitMs: number | undefined

  constructor(message: string, waitMs: number | undefined) {
    super(message)
    this.waitMs = waitMs
  }
}

function askedWait({ headers }: Response): number | undefined {
  const after = headers.get('retry-after') ?? /(?:^|[;,\s])t=(\d+)/.exec(headers.get('ratelimit') ?? '')?.[1]
  if (after === undefined) return undefined
  const now = Date.parse(headers.get('date') ?? '') || Date.now() // a clock that is wrong here is not the server's
  const seconds = /^\d+$/.test(after.trim()) ? Number(after) : (Date.parse(after) - now) / 1000
  return Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : undefined
}

function isTransient(error: unknown): boolean {
  return error instanceof TransientError || isNetworkFault(error)
}

/** undici's network faults are `TypeError: fetch failed` (a body's: `terminated`) with a system error as cause. */
function isNetworkFault(error: unknown): error is TypeError {
  return error instanceof TypeError && error.cause !== undefined
}

/** Of connecting and of looking up a name (Node's errors of net and dns). */
interface ConnectError extends NodeJS.ErrnoException {
  readonly address?: string
  readonly port?: number
  readonly hostname?: string
}

function unreachableError(url: string | URL, error: TypeError): TransientError {
  const cause: ConnectError = rootCause(error)
  const { code, message } = cause
  const isOfSystem = typeof code === 'string' && !code.startsWith('UND_ERR') // undici's codes say less than its words
  // Behind a proxy it is the proxy that was not there.
  const place = cause.hostname ?? (cause.address && `${cause.address}:${cause.port}`)
  const { host, hostname } = new URL(url)
  const isElsewhere = place !== undefined && ![host, hostname].includes(place) && proxiesOf() !== undefined
  const reason = `${isOfSystem ? code : message}${isElsewhere ? `, at ${place}` : ''}`
  const attempts = code === 'ENOTFOUND' && !answered.has(host) ? NAME_ATTEMPTS : ATTEMPTS
  return new TransientError(`${withoutQuery(url)} cannot be reached (${reason})`, attempts)
}
