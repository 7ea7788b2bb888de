// SPDX-License-Identifier: Apache-2.0

import type { AsyncBuffer } from 'hyparquet'
import { SpeechError } from '../runtime/speech-error.ts'
import { withoutQuery } from './network.ts'
import { fetchOnce, type RetryOptions, retrying, TransientError } from './retrying-fetch.ts'

/** Without a byte for this long, a request is given up and sent again. */
const STALL_MS = 30_000
const MAX_REDIRECTS = 5

/** How bytes of a remote file are requested. */
export interface RemoteOptions extends RetryOptions {
  /** sent to the address's own host only, never to one it redirects to */
  readonly token?: string
  readonly stallMs?: number
  /** called with every chunk that arrives */
  readonly onBytes?: (count: number) => void
}

/**
 * A file behind HTTP, read by ranges. Where it redirects to is remembered, and asked for again when that answer expires.
 * @param size of the file, in bytes
 * @throws SpeechError for what cannot be fixed by asking again
 */
export function remoteFile(url: string, size: number, options: RemoteOptions = {}): AsyncBuffer {
  let target = url
  const read = async (start: number, end: number): Promise<ArrayBuffer> => {
    const { response, at } = await follow(target, url, `bytes=${start}-${end - 1}`, options)
    if (at !== url && [400, 401, 403, 404, 410].includes(response.status)) {
      await response.body?.cancel()
      target = url
      throw new TransientError(`${withoutQuery(at)} answers ${response.status}: the address has expired`)
    }
    target = at
    await requireRange(response, at, start, end, size)
    return collect(response, end - start, at, options)
  }
  return {
    byteLength: size,
    slice: (start, end = size) => retrying(() => read(start, end), options),
  }
}

async function follow(
  from: string,
  home: string,
  range: string,
  { token, signal, stallMs = STALL_MS }: RemoteOptions,
): Promise<{ response: Response; at: string }> {
  let at = from
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const isHome = new URL(at).origin === new URL(home).origin
    const giveUp = new AbortController()
    const answering = fetchOnce(at, {
      redirect: 'manual',
      // a server that compresses counts other bytes
      headers: {
        range,
        'accept-encoding': 'identity',
        ...(isHome && token && { authorization: `Bearer ${token}` }),
      },
      signal: signal ? AbortSignal.any([signal, giveUp.signal]) : giveUp.signal,
    })
    const response = await beforeStall(answering, stallMs, at).catch((error) => {
      giveUp.abort()
      throw error
    })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || location === null) return { response, at }
    await response.body?.cancel()
    at = new URL(location, at).href
  }
  throw new SpeechError(`${withoutQuery(home)} redirects more than ${MAX_REDIRECTS} times.`)
}

async function requireRange(
  response: Response,
  at: string,
  start: number,
  end: number,
  size: number,
): Promise<void> {
  const wanted = `bytes ${start}-${end - 1}/${size}`
  const found = response.headers.get('content-range')
  if (response.status === 206 && (found === wanted || found === wanted.replace(/\d+$/, '*'))) return
  if (response.status === 200 && start === 0 && end === size) return // a server may ignore a range (RFC 9110, section 14.2)
  await response.body?.cancel()
  const problem =
    response.status === 206 ? `range ${found}, wanted ${wanted}` : `status ${response.status}, wanted 206`
  throw new SpeechError(
    `${withoutQuery(at)} answers a request for bytes ${start} to ${end} with ${problem}.`,
    [401, 403].includes(response.status)
      ? 'Set HF_TOKEN to a token that may read it.'
      : 'The file may have changed; run the same command again.',
  )
}

/** The body, which must have exactly as many bytes as were asked for. */
async function collect(
  response: Response,
  length: number,
  at: string,
  { onBytes, stallMs = STALL_MS }: RemoteOptions,
): Promise<ArrayBuffer> {
  const out = new Uint8Array(length)
  let filled = 0
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader()
  try {
    for (;;) {
      const { done, value } = await beforeStall(reader.read(), stallMs, at)
      if (done) break
      if (filled + value.length > length)
        throw new TransientError(`${withoutQuery(at)} sends more than was asked for`)
      out.set(value, filled)
      filled += value.length
      onBytes?.(value.length)
    }
  } catch (error) {
    void reader.cancel().catch(() => undefined)
    throw error
  }
  if (filled === length) return out.buffer
  throw new TransientError(`${withoutQuery(at)} sent ${filled} of ${length} bytes`)
}

async function beforeStall<T>(reading: Promise<T>, stallMs: number, at: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const stalled = new Promise<never>((_, reject) => {
    const fail = () => reject(new TransientError(`${withoutQuery(at)} is silent for ${stallMs / 1000} s`))
    timer = setTimeout(fail, stallMs)
  })
  return Promise.race([reading, stalled]).finally(() => clearTimeout(timer))
}
