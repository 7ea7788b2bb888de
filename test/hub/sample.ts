// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { type CommitOutput, commit, downloadFile } from '@huggingface/hub'
import { type ModelHub, type ModelHubOptions, startModelHub } from './model-hub.ts'

export const REPO = 'tester/model'
export const PART = 256 << 10

export function sha256(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Bytes that do not repeat. */
export function noise(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes[i] = state >>> 24
  }
  return bytes
}

export const BIG = noise(3 * PART + 1000)
export const SMALL = noise(5000, 2)
export const CARD = Buffer.from('---\nlicense: apache-2.0\n---\n# A model\n')

/** One of each kind: in parts, at once, regular. */
export const FILES = { 'onnx/big.onnx': BIG, 'small.bin': SMALL, 'README.md': CARD }
export const HASHES = Object.fromEntries(Object.entries(FILES).map(([path, bytes]) => [path, sha256(bytes)]))

export async function hubWithRepo(options: ModelHubOptions = {}): Promise<ModelHub> {
  const hub = await startModelHub({ partSize: PART, ...options })
  hub.createRepo(REPO)
  return hub
}

/** What every call of the JS client needs. */
export function access({ url, token }: ModelHub) {
  return { hubUrl: url, accessToken: token, repo: REPO }
}

export interface Upload {
  readonly branch?: string
  readonly parentCommit?: string
  readonly isPullRequest?: boolean
  readonly useXet?: boolean
  readonly fetch?: typeof fetch
  readonly remove?: readonly string[]
}

/** One commit by the JS client. */
export function upload(
  hub: ModelHub,
  files: Readonly<Record<string, Uint8Array>>,
  { remove = [], ...more }: Upload = {},
): Promise<CommitOutput | undefined> {
  const adds = Object.entries(files).map(([path, bytes]) => ({
    ...{ operation: 'addOrUpdate' as const, path, content: new Blob([Buffer.from(bytes)]) },
  }))
  const operations = [...adds, ...remove.map((path) => ({ operation: 'delete' as const, path }))]
  return commit({ ...access(hub), title: 'from JS', operations, useXet: false, ...more })
}

/** @returns the sha256 of what the JS client gets, undefined when there is no such file */
export async function download(hub: ModelHub, path: string, revision = 'main'): Promise<string | undefined> {
  const blob = await downloadFile({ ...access(hub), path, revision })
  return blob ? sha256(new Uint8Array(await blob.arrayBuffer())) : undefined
}

interface Action {
  readonly href: string
  readonly header?: Readonly<Record<string, string>>
}

interface Answer {
  readonly actions?: { readonly upload: Action; readonly verify: Action }
  readonly error?: { readonly code: number; readonly message: string }
}

/** What the batch says about one object. */
export async function askBatch(
  hub: ModelHub,
  oid: string,
  size: number,
  transfers: readonly string[] = ['basic', 'multipart'],
): Promise<Answer> {
  const body = JSON.stringify({ operation: 'upload', transfers, objects: [{ oid, size }] })
  const response = await post(hub, `/${REPO}.git/info/lfs/objects/batch`, body)
  const { objects } = (await response.json()) as { objects: [Answer] }
  return objects[0]
}

export function post(
  { url, token }: ModelHub,
  path: string,
  body: string,
  type = 'application/json',
): Promise<Response> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': type }
  return fetch(`${url}${path}`, { method: 'POST', body, headers })
}

/** A commit of these lines behind a header. */
export function postCommit(
  hub: ModelHub,
  lines: readonly object[],
  header: object = { summary: 'by hand' },
): Promise<Response> {
  const body = [{ key: 'header', value: header }, ...lines].map((line) => JSON.stringify(line)).join('\n')
  return post(hub, `/api/models/${REPO}/commit/main`, body, 'application/x-ndjson')
}
