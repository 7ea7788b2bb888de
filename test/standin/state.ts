import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault, Seen } from './faults.ts'
import type { ObjectStore } from './object-store.ts'
import type { Repository } from './repository.ts'
import type { Signer } from './signer.ts'

export interface HubRequest extends Seen {
  /** as it came */
  readonly url: string
  readonly authorization: string | undefined
  readonly range: string | undefined
  /** bytes of the body that arrived */
  received: number
  status: number
}

/** Everything the two servers share. */
export interface HubState {
  readonly token: string
  readonly partSize: number
  readonly pageSize: number
  readonly store: ObjectStore
  readonly signer: Signer
  readonly repositories: Map<string, Repository>
  readonly requests: HubRequest[]
  readonly faults: Fault[]
  hubUrl: string
  /** where xet uploads go, for clients that offer it; '' when the hub has none */
  casUrl: string
}

export interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly state: HubState
  readonly url: URL
  readonly repository: Repository
  /** what the pattern of the route captured, decoded */
  readonly rest: readonly string[]
  readonly body: Buffer
}

export function json(response: ServerResponse, value: unknown): undefined {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

export function fail(response: ServerResponse, status: number, message: string, code?: string): undefined {
  response.writeHead(status, {
    ...{ 'content-type': 'application/json', 'x-request-id': 'request-1' },
    ...(code !== undefined && { 'x-error-code': code, 'x-error-message': message }),
  })
  response.end(JSON.stringify({ error: message }))
}
