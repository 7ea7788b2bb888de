// SPDX-License-Identifier: Apache-2.0

import type { IncomingMessage } from 'node:http'
import type { Fault, Seen } from './faults.ts'
import type { Multiparts } from './multipart.ts'
import type { ObjectStore } from './object-store.ts'
import type { Repository } from './repository.ts'
import type { Signer } from './signer.ts'
import type { XetStore } from './xet-store.ts'

export interface HubRequest extends Seen {
  /** as it came, with the question mark, or '' */
  readonly query: string
  readonly authorization?: string
  readonly range?: string
  /** bytes of the body that arrived */
  received: number
  /** 0 until there is an answer, and when there was none */
  status: number
  /** the object that a request to the storage is about */
  sha?: string
}

/** Everything the three servers share. */
export interface HubState {
  readonly token: string
  readonly user: string
  readonly partSize: number
  readonly pageSize: number
  readonly isXet: boolean
  readonly xetTokenLifetimeMs: number
  readonly repositories: Map<string, Repository>
  readonly objects: ObjectStore
  readonly uploads: Multiparts
  readonly xet: XetStore
  readonly signer: Signer
  readonly requests: HubRequest[]
  readonly faults: Fault[]
  readonly urls: Readonly<Record<Seen['host'], string>>
  storedBytes: number
}

/** A request, with what it may need. */
export interface Call {
  readonly request: IncomingMessage
  readonly url: URL
  readonly seen: HubRequest
  readonly fault: Fault | undefined
  readonly state: HubState
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece as Buffer)
  return Buffer.concat(pieces)
}

/** @returns undefined when it is not a JSON object */
export async function readObject(request: IncomingMessage): Promise<Record<string, unknown> | undefined> {
  return parseObject((await readBody(request)).toString())
}

export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As clients spell it in queries and forms. */
export function isTrue(value: string | null): boolean {
  return value !== null && ['true', 'True', '1'].includes(value)
}
