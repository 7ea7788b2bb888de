// SPDX-License-Identifier: Apache-2.0

/** What a request is, for a test to choose one by. */
export interface Seen {
  readonly host: 'hub' | 'storage' | 'cas'
  readonly method: string
  /** decoded, without the query */
  readonly path: string
}

/** What goes wrong. */
export type Trouble =
  /** this answer instead of the real one, before or after the body of the request was read */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly readBody?: boolean
      readonly body?: string
    }
  /** the connection dies after so many bytes of the request's body */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** nothing is read, and nothing is answered */
  | { readonly kind: 'stall' }
  /** everything is done, and then the connection dies, or a gateway has given up waiting */
  | { readonly kind: 'lost-response' | 'gateway-timeout' }
  /** what arrives is stored with one byte flipped, and nobody notices */
  | { readonly kind: 'store-corrupt' }
  | { readonly kind: 'missing-etag' }
  /** the batch gives one address too few for an upload in parts */
  | { readonly kind: 'wrong-part-count' }
  /** something happens first; the request is handled as usual */
  | { readonly kind: 'before'; readonly run: () => unknown }
  /** the body of the answer ends early */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** Content-Range is off by one */
  | { readonly kind: 'wrong-range' }

/** What goes wrong with the next requests that match: a function, or a pattern for "METHOD host path". */
export type Fault = Trouble & {
  readonly on: RegExp | ((request: Seen) => boolean)
  /** 1 by default */
  readonly times?: number
}

/** The first fault that fits; it has one time less afterwards, and is gone when none is left. */
export function takeFault(faults: Fault[], request: Seen): Fault | undefined {
  const at = faults.findIndex(({ on }) => matches(on, request))
  const fault = faults[at]
  if (!fault) return undefined
  const left = (fault.times ?? 1) - 1
  if (left > 0) faults[at] = { ...fault, times: left }
  else faults.splice(at, 1)
  return fault
}

function matches(on: Fault['on'], request: Seen): boolean {
  if (typeof on === 'function') return on(request)
  // not test(), which remembers its place in patterns with the flag g
  return `${request.method} ${request.host} ${request.path}`.search(on) >= 0
}
