// SPDX-License-Identifier: Apache-2.0

import * as v from 'valibot'
import { authorized } from '../../eval/dataset/hub-token.ts'
import { withoutQuery } from '../../eval/dataset/network.ts'
import {
  BusyError,
  fetchOnce,
  type RetryOptions,
  retrying,
  TransientError,
} from '../../eval/dataset/retrying-fetch.ts'
import { count, dictionary, list, type Parsed, section, text } from '../../eval/runtime/schema.ts'
import { checkedText } from '../shared/checked.ts'
import { Failure } from '../shared/failure.ts'
import { answerOf } from './connection.ts'
import { FileBlob } from './file-blob.ts'

/** Without a byte taken or an answer for this long, an upload is given up and sent again. */
const STALL_MS = 60_000
/** The hub checks a whole commit before it answers. */
const COMMIT_PATIENCE = 5
/** The slowest line that is waited for, in bytes a millisecond. */
const SLOWEST_PER_MS = 100
const LFS_BATCH = /\.git\/info\/lfs\/objects\/batch$/
const COMMIT = /\/api\/models\/[^/]+\/[^/]+\/commit\/[^/]+$/

/** What an upload may send and where, and what is called on the way; counts are bytes. */
export interface UploadOptions extends RetryOptions {
  readonly origin: string
  /** of the hub, which no other origin may see */
  readonly token?: string
  /** sha256 of everything that may be uploaded */
  readonly planned: ReadonlySet<string>
  readonly signal: AbortSignal
  readonly stallMs?: number
  /** bytes that the storage lacks, known from its answer */
  readonly onMissing: (bytes: number) => void
  /** sent, or taken back when a part has to be sent again */
  readonly onBytes: (count: number) => void
  /** an object is stored whole */
  readonly onStored: () => void
}

/** What the client library passes along with a body (internal to it, so looked at with care). */
interface Hinted extends RequestInit {
  readonly progressHint?: { readonly path?: string; readonly part?: number }
}

/**
 * The `fetch` for one run of the client library's commit. Transient faults are retried, bytes are counted, and one
 * file is sent at a time, so that a kill leaves one unfinished. The commit itself is never sent blindly again, and
 * nothing is uploaded that was not planned. For one run only.
 */
export function uploadFetch(options: UploadOptions): typeof fetch {
  const gate = makeGate()
  return async (input, init: Hinted = {}) => {
    const url = input instanceof Request ? input.url : String(input)
    const { pathname } = new URL(url)
    options.signal.throwIfAborted()
    try {
      const response = await answer(url, pathname, init, options, gate)
      if (!response.ok) gate.close(new TransientError(`${withoutQuery(url)} answers ${response.status}`))
      return response
    } catch (error) {
      gate.close(error)
      throw error
    }
  }
}

async function answer(
  url: string,
  pathname: string,
  init: Hinted,
  options: UploadOptions,
  gate: Gate,
): Promise<Response> {
  if (COMMIT.test(pathname)) return sendCommit(url, init, options)
  if (LFS_BATCH.test(pathname)) return sendBatch(url, init, options)
  if (init.method === 'PUT' && init.body instanceof FileBlob) return sendPart(url, init, options, gate)
  const isEnd = endsParts(init)
  if (isEnd) gate.leave() // all parts of the file are there: the storage puts them together by itself
  const response = await retrying(() => watched(url, init, options), options)
  if (response.ok && isEnd) options.onStored()
  return response
}

/** One at a time: who holds the gate sends, the others wait for it. */
function makeGate() {
  let holder: string | undefined
  let failure: { readonly error: unknown } | undefined
  let waiting: (() => void)[] = []
  const wake = () => {
    const woken = waiting
    waiting = []
    for (const resume of woken) resume()
  }
  return {
    async enter(path: string): Promise<void> {
      while (holder !== undefined && holder !== path && !failure)
        await new Promise<void>((resume) => waiting.push(resume))
      if (failure) throw failure.error
      holder = path
    },
    leave(): void {
      holder = undefined
      wake()
    },
    close(error: unknown): void {
      failure ??= { error }
      wake()
    },
  }
}

type Gate = ReturnType<typeof makeGate>

/** The commit may have been made although its answer was lost; only the branch shows whether it was. */
export class UnknownOutcome extends Failure {
  constructor(reason: string) {
    super(`Whether the commit was made is not known: ${reason}`, 'Run the same command again: it finds out.')
  }
}

const BUSY_ONLY: ReadonlySet<number> = new Set([429])
const AMBIGUOUS: ReadonlySet<number> = new Set([408, 500, 502, 503, 504])

/** Sent again when the hub has refused to look at it, and in no other case. */
async function sendCommit(url: string, init: Hinted, options: UploadOptions): Promise<Response> {
  const response = await retrying(async () => {
    try {
      return await watched(url, init, options, COMMIT_PATIENCE, BUSY_ONLY)
    } catch (error) {
      if (error instanceof BusyError || !(error instanceof TransientError)) throw error
      throw new UnknownOutcome(error.message)
    }
  }, options)
  if (!AMBIGUOUS.has(response.status)) return response
  await response.body?.cancel()
  throw new UnknownOutcome(`${withoutQuery(url)} answers ${response.status}`)
}

/** Of the LFS batch API (https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md). */
const LFS_REQUEST = section({ objects: list(section({ oid: text })) })
/** `header` of an upload in parts has their size, and an address for each. */
const LFS_OBJECT = section({
  size: count,
  actions: v.nullish(section({ upload: v.nullish(section({ header: v.nullish(dictionary(v.unknown())) })) })),
})
const LFS_ANSWER = section({ objects: list(LFS_OBJECT) })

/** Requests each content once, although two files may have it, and for none that was not planned. */
async function sendBatch(url: string, init: Hinted, options: UploadOptions): Promise<Response> {
  const request = checkedText(LFS_REQUEST, String(init.body), {
    file: 'The request for the storage',
    hint: '',
  })
  const objects = [...new Map(request.objects.map((object) => [object.oid, object])).values()]
  if (objects.some(({ oid }) => !options.planned.has(oid))) {
    throw new Failure(
      'A file of the release has changed since it was checked: its sha256 is not that of the manifest.',
      'Package it again, then publish.',
    )
  }
  const body = JSON.stringify({ ...request, objects })
  const response = await retrying(() => watched(url, { ...init, body }, options), options)
  if (!response.ok) return response
  const answer = checkedText(LFS_ANSWER, await response.clone().text(), answerOf(url))
  const missing = answer.objects.filter(({ actions }) => actions?.upload)
  requireParts(missing, url)
  options.onMissing(missing.reduce((sum, { size }) => sum + size, 0))
  return response
}

/** The library fails on a wrong number of parts in a way that ends the process, so it does not see one. */
function requireParts(missing: Parsed<typeof LFS_ANSWER>['objects'], url: string): void {
  for (const { size, actions } of missing) {
    const header = actions?.upload?.header ?? {}
    if (header['chunk_size'] === undefined) continue
    const wanted = Math.ceil(size / Number(header['chunk_size']))
    const found = Object.keys(header).filter((key) => /^\d+$/.test(key)).length
    if (found !== wanted)
      throw new TransientError(`${withoutQuery(url)} gives ${found} addresses for ${wanted} parts`)
  }
}

/**
 * Else fetch keeps a copy of the whole body in memory, to send it again where a redirect may lead (Fetch standard, HTTP-network-or-cache
 * fetch, step 8.1). Signed addresses do not redirect.
 */
const UNBUFFERED = { redirect: 'error', window: null } as const

/** One part, or a file in one part. What was counted of an attempt that fails is taken back. */
async function sendPart(
  url: string,
  { progressHint, ...init }: Hinted,
  options: UploadOptions,
  gate: Gate,
): Promise<Response> {
  const path = progressHint?.path ?? ''
  if (path !== '') await gate.enter(path)
  const response = await retrying(async () => {
    let counted = 0
    const onBytes = (count: number) => {
      counted += count
      options.onBytes(count)
    }
    let answered: Response | undefined
    try {
      answered = await watched(url, { ...init, ...UNBUFFERED }, { ...options, onBytes })
      return answered
    } finally {
      if (!answered?.ok) options.onBytes(-counted)
    }
  }, options)
  if (response.ok && path !== '' && progressHint?.part === undefined) {
    options.onStored()
    gate.leave()
  }
  return response
}

/** Whether a request ends an upload in parts: it names their object. */
function endsParts({ method, body }: Hinted): boolean {
  return method === 'POST' && typeof body === 'string' && body.startsWith('{"oid":')
}

/** One attempt, given up when nothing moves. */
async function watched(
  url: string,
  init: Hinted,
  options: UploadOptions,
  patience = 1,
  transient?: ReadonlySet<number>,
): Promise<Response> {
  const { signal, stallMs = STALL_MS, onBytes } = options
  const stalled = new AbortController()
  // a body in one piece is not seen moving
  const waitMs =
    patience * stallMs + (init.body instanceof Uint8Array ? init.body.length / SLOWEST_PER_MS : 0)
  const ends = [signal, stalled.signal, ...(init.signal ? [init.signal] : [])]
  const giveUp = () =>
    stalled.abort(new TransientError(`${withoutQuery(url)} is silent for ${waitMs / 1000} s`))
  let timer = setTimeout(giveUp, waitMs)
  let isOver = false
  const moved = (count: number) => {
    if (isOver) return // a body is read on for a moment after its request has failed; a timer would hold up the exit
    clearTimeout(timer)
    timer = setTimeout(giveUp, waitMs)
    onBytes(count)
  }
  let unreadable: { readonly error: unknown } | undefined
  const onError = (error: unknown) => {
    unreadable ??= { error }
  }
  const body = init.body instanceof FileBlob ? init.body.watched(moved, onError) : init.body
  try {
    const headers = authorized(url, init.headers, options)
    return await fetchOnce(
      url,
      { ...init, headers, ...(body !== undefined && { body }), signal: AbortSignal.any(ends) },
      transient,
    )
  } catch (error) {
    signal.throwIfAborted()
    if (unreadable) throw unreadable.error // our disk, not the network
    throw stalled.signal.aborted ? stalled.signal.reason : error
  } finally {
    isOver = true
    clearTimeout(timer)
  }
}
