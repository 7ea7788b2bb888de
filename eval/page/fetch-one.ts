// SPDX-License-Identifier: Apache-2.0

import { type RunningHash, startSha256 } from '../runtime/platform/host.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import { bytesHandle, markChecked } from './kept-files.ts'
import type { WantedFile } from './release-manifest.ts'

/** Called while a file is fetched or checked: with bytes, and with a note for readers. */
export interface Progress {
  /** @param bytes that are there now, or with a minus are not after all @param fromNetwork of them, those that came now */
  add(bytes: number, fromNetwork: number): void
  say(text: string): void
}

/** What is asked for at once: a server that counts requests sees few, and a cut loses nothing. */
const PART = 64 << 20
/** of requests that bring nothing */
const ATTEMPTS = 6
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 15_000
const READ_STEP = 8 << 20

/** Synchronous access to a file, in workers alone; the DOM's types lack it (fs.spec.whatwg.org). */
interface SyncFile {
  getSize(): number
  read(bytes: Uint8Array, options: { at: number }): number
  write(bytes: Uint8Array, options: { at: number }): number
  truncate(size: number): void
  flush(): void
  close(): void
}

/** A file that is being written. */
interface Target {
  readonly file: WantedFile
  readonly bytes: SyncFile
  /** of what is there */
  hash: RunningHash
  at: number
}

/**
 * Fetch a file into the browser's storage in parts, from where the last attempt ended, and check its SHA-256.
 * @throws SpeechError when it cannot be fetched or has another content; then nothing of it is kept
 */
export async function fetchFile(
  base: string,
  file: WantedFile,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const bytes = await openBytes(file)
  try {
    const target = await resumed(file, bytes, signal)
    const kept = target.at
    progress.add(kept, 0)
    await fill(target, base, progress, signal)
    let found = target.hash.digest()
    if (found !== file.sha256 && kept > 0) {
      await startAgain(target, progress) // what was there may have been of another release
      await fill(target, base, progress, signal)
      found = target.hash.digest()
    }
    if (found !== file.sha256) {
      await startAgain(target, progress)
      throw hashMismatch(file, found, 'Nothing of it was kept. Try again, or report it to its publisher.')
    }
    bytes.flush()
  } finally {
    bytes.close()
  }
  await markChecked(file)
}

/** The error of a file whose SHA-256 is not that of the manifest. */
export function hashMismatch(file: WantedFile, found: string, hint: string): SpeechError {
  return new SpeechError(
    `${file.path} has the SHA-256 ${found}, wanted ${file.sha256} by manifest.json.`,
    hint,
  )
}

async function openBytes(file: WantedFile): Promise<SyncFile> {
  const handle = (await bytesHandle(file)) as unknown as { createSyncAccessHandle(): Promise<SyncFile> }
  try {
    return await handle.createSyncAccessHandle()
  } catch (error) {
    if ((error as DOMException).name !== 'NoModificationAllowedError') throw error
    throw new SpeechError(
      `${file.path} is being fetched in another tab.`,
      'Wait until that has ended, or close the other tab.',
    )
  }
}

/** What an earlier attempt has left. */
async function resumed(file: WantedFile, bytes: SyncFile, signal: AbortSignal): Promise<Target> {
  const hash = await startSha256()
  if (bytes.getSize() > file.size) bytes.truncate(0)
  const size = bytes.getSize()
  const buffer = new Uint8Array(Math.min(size, READ_STEP))
  let at = 0
  while (at < size) {
    signal.throwIfAborted()
    const count = bytes.read(buffer, { at })
    hash.add(buffer.subarray(0, count))
    at += count
  }
  return { file, bytes, hash, at }
}

async function startAgain(target: Target, progress: Progress): Promise<void> {
  progress.add(-target.at, 0)
  target.bytes.truncate(0)
  target.at = 0
  target.hash = await startSha256()
}

/** Fetch what is missing. A connection that breaks is made again, as long as something comes now and then. */
async function fill(target: Target, base: string, progress: Progress, signal: AbortSignal): Promise<void> {
  const { file } = target
  for (let failed = 0; target.at < file.size; ) {
    const before = target.at
    const problem = await fetchPart(target, base, progress, signal)
    signal.throwIfAborted()
    if (target.at > before) failed = 0
    if (problem === undefined) continue
    if (++failed >= ATTEMPTS) {
      const { message, hint } = problem
      throw new SpeechError(`${file.path} cannot be fetched: ${message}`, hint)
    }
    const wait = problem.waitMs ?? Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failed - 1))
    progress.say(`The connection broke: trying again in ${Math.ceil(wait / 1000)} s.`)
    await pause(wait, signal)
  }
}

/** Something that may be over soon. */
interface Passing {
  readonly message: string
  readonly hint: string
  readonly waitMs?: number
}

/** @returns what went wrong and may be over soon @throws SpeechError for what will not */
async function fetchPart(
  target: Target,
  base: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Passing | undefined> {
  const { file, at } = target
  const end = Math.min(file.size, at + PART)
  const hint = 'What has come is kept: try again when the network is back.'
  try {
    const response = await fetch(`${base}${file.path}`, {
      ...{ signal, credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store' },
      headers: { range: `bytes=${at}-${end - 1}` },
    })
    const refusal = refusalOf(response, file)
    if (refusal !== undefined) return refusal
    if (response.status === 200 && at > 0) await startAgain(target, progress) // a server without ranges sends it all
    await take(target, response, response.status === 206 ? end : file.size, progress)
    return undefined
  } catch (error) {
    if (signal.aborted || error instanceof SpeechError || error instanceof DOMException) throw error
    return { message: `the connection broke after ${target.at} of ${file.size} bytes.`, hint }
  }
}

/** @returns what the server may not say the next time @throws SpeechError for what it will */
function refusalOf({ status, headers }: Response, { path }: WantedFile): Passing | undefined {
  if (status === 200 || status === 206) return undefined
  const message = `the server answered ${status}.`
  if (status === 429 || status >= 500) {
    const after = Number(headers.get('retry-after') ?? Number.NaN)
    const hint = 'What has come is kept: try again later.'
    return { message, hint, ...(after > 0 && { waitMs: Math.min(after * 1000, 4 * LONGEST_WAIT_MS) }) }
  }
  throw new SpeechError(
    `${path} cannot be fetched: ${message}`,
    'The release lacks a file that manifest.json lists.',
  )
}

async function take(target: Target, { body }: Response, end: number, progress: Progress): Promise<void> {
  const reader = body?.getReader()
  for (;;) {
    const { value } = (await reader?.read()) ?? {}
    if (value === undefined) break
    if (target.at + value.length > end) {
      await reader?.cancel()
      const { path, size } = target.file
      throw new SpeechError(
        `${path} is longer than ${size} bytes, the size that manifest.json gives.`,
        'Report it to the publisher.',
      )
    }
    target.bytes.write(value, { at: target.at })
    target.hash.add(value)
    target.at += value.length
    progress.add(value.length, value.length)
  }
  if (target.at < end) throw new TypeError('The answer ended early.')
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })
}
