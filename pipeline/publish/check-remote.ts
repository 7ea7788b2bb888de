// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { remoteFile } from '../../eval/dataset/remote-file.ts'
import type { RetryOptions } from '../../eval/dataset/retrying-fetch.ts'
import type { Connection } from '../hub/connection.ts'
import { fileUrl, treeOf } from '../hub/repository.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import type { HubFile } from './hub-files.ts'
import { isSame, makePlan, stepsOf } from './plan.ts'

/** How much of a published file is fetched and compared: nothing, samples, or all bytes. */
export type ReadBack = 'none' | 'sample' | 'full'

/** Bytes of one look at a stored file, and of one request of a whole read. */
const SAMPLE_BYTES = 1 << 20
const CHUNK_BYTES = 16 << 20
/** Looks besides the first and the last bytes. */
const INNER_SAMPLES = 2

/** What is checked on the hub, and how. */
export interface CheckOptions extends RetryOptions {
  readonly hub: Connection
  readonly repo: string
  readonly commit: string
  readonly readBack: ReadBack
  /** nothing else may be there */
  readonly mirror: boolean
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** How many files of a commit were found right, and how many bytes of them were fetched for it. */
export interface RemoteCheck {
  readonly commit: string
  readonly files: number
  readonly readBack: ReadBack
  /** bytes that were fetched and compared */
  readonly bytesRead: number
}

/**
 * Check what a commit holds: sizes and hashes as the tree says, then bytes, since the hub repeats the hash that an
 * uploader declares and stores what it was sent.
 * @param files that the commit must have
 * @param readBack of these, bytes are fetched
 * @throws Failure naming what is wrong
 */
export async function checkRemote(
  files: readonly HubFile[],
  readBack: readonly HubFile[],
  options: CheckOptions,
): Promise<RemoteCheck> {
  const { hub, repo, commit, mirror, emit } = options
  const remote = await treeOf(hub, repo, commit, options)
  const problems: string[] = []
  for (const file of files) {
    const there = remote.get(file.path)
    if (!there) problems.push(`${file.path} is missing`)
    else if (!(await isSame(file, there))) problems.push(`${file.path} has another size or hash`)
  }
  const rest = stepsOf(await makePlan(files, remote, { mirror, parent: commit }), 'delete')
  problems.push(...rest.map(({ path }) => `${path} should not be there`))
  if (problems.length > 0) throw wrong(repo, commit, problems, 'Run the same command again.')
  const looked = options.readBack === 'none' ? [] : distinct(readBack)
  let bytesRead = 0
  for (const [i, file] of looked.entries()) {
    const result = await compareBytes(file, options)
    bytesRead += result.bytes
    if (result.problem !== undefined) problems.push(result.problem)
    emit({ event: 'progress', what: 'read back', done: i + 1, total: looked.length, unit: 'files' })
  }
  if (problems.length > 0) throw wrong(repo, commit, problems, CORRUPT_HINT)
  return { commit, files: files.length, readBack: options.readBack, bytesRead }
}

const CORRUPT_HINT =
  'The storage holds other bytes under this hash, and does not take them again: report it to the hub, and revert the commit. Do not use it.'

/** Two names of one content are stored once. */
function distinct(files: readonly HubFile[]): HubFile[] {
  return [...new Map(files.map((file) => [file.sha256, file])).values()]
}

async function compareBytes(
  { path, size, sha256, content }: HubFile,
  options: CheckOptions,
): Promise<{ bytes: number; problem?: string }> {
  const { hub, repo, commit, readBack, signal } = options
  signal.throwIfAborted()
  if (size === 0) return { bytes: 0 }
  const { token } = hub
  const stored = remoteFile(fileUrl(hub, repo, commit, path), size, { ...options, ...(token && { token }) })
  if (readBack === 'full' || size <= 4 * SAMPLE_BYTES) {
    const hash = createHash('sha256')
    for (let at = 0; at < size; at += CHUNK_BYTES)
      hash.update(new Uint8Array(await stored.slice(at, Math.min(size, at + CHUNK_BYTES))))
    return {
      bytes: size,
      ...(hash.digest('hex') !== sha256 && { problem: `${path} is stored with other bytes` }),
    }
  }
  for (const at of samplesOf(size)) {
    const [there, here] = await Promise.all([
      stored.slice(at, at + SAMPLE_BYTES),
      content.slice(at, at + SAMPLE_BYTES).arrayBuffer(),
    ])
    if (Buffer.compare(Buffer.from(there), Buffer.from(here)) !== 0)
      return {
        bytes: SAMPLE_BYTES,
        problem: `${path} is stored with other bytes (checked from byte ${at} on)`,
      }
  }
  return { bytes: (2 + INNER_SAMPLES) * SAMPLE_BYTES }
}

/** The first bytes, the last, and others, different each time. */
function samplesOf(size: number): number[] {
  const last = size - SAMPLE_BYTES
  return [0, ...Array.from({ length: INNER_SAMPLES }, () => Math.floor(Math.random() * last)), last]
}

function wrong(repo: string, commit: string, problems: readonly string[], hint: string): Failure {
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
  return new Failure(
    `${repo} at ${commit.slice(0, 12)} is not right: ${problems[0]}${more}.`,
    hint,
    EXIT.gate,
  )
}
