import type { IncomingMessage, ServerResponse } from 'node:http'
import { Transform } from 'node:stream'

/** What a request is, for tests to choose one by. */
export interface Seen {
  readonly host: 'hub' | 'storage' | 'cas'
  readonly method: string
  /** decoded, without the query */
  readonly path: string
}

/** What goes wrong with the next requests that match. */
export type Fault = {
  readonly on: (request: Seen) => boolean
  /** 1 by default */
  times?: number
} & (
  | {
      readonly kind: 'status'
      readonly status: number
      readonly headers?: Record<string, string>
      readonly readBody?: boolean
    }
  /** the connection dies after so many bytes of the request's body */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** nothing is read, and nothing is answered */
  | { readonly kind: 'stall' }
  /** everything is done, and the answer is lost on the way, or a gateway gives up waiting for it */
  | { readonly kind: 'lost-response' }
  | { readonly kind: 'gateway-timeout' }
  /** stored with a flipped bit, unnoticed */
  | { readonly kind: 'store-corrupt' }
  | { readonly kind: 'missing-etag' }
  /** the body of the answer ends early */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** somebody else is quicker */
  | { readonly kind: 'before'; readonly run: () => unknown }
)

/** Take the first fault that fits a request. */
export function takeFault(faults: Fault[], request: Seen): Fault | undefined {
  const at = faults.findIndex(({ on }) => on(request))
  const fault = faults[at]
  if (!fault) return undefined
  fault.times = (fault.times ?? 1) - 1
  if (fault.times <= 0) faults.splice(at, 1)
  return fault
}

/**
 * Do what a fault does before or instead of the answer.
 * @returns whether the request is answered with that
 */
export async function applyFault(
  fault: Fault | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  switch (fault?.kind) {
    case 'status':
      if (fault.readBody) for await (const _ of request);
      response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers })
      response.end(JSON.stringify({ error: `injected ${fault.status}` }))
      return true
    case 'reset':
      await readSome(request, fault.afterBytes)
      request.socket.resetAndDestroy()
      return true
    case 'stall':
      request.pause()
      return true
    case 'before':
      await fault.run()
      return false
    case 'lost-response':
      response.end = (() => request.socket.resetAndDestroy()) as unknown as typeof response.end
      return false
    case 'gateway-timeout': {
      const end = response.end.bind(response)
      response.writeHead = (() => response) as typeof response.writeHead
      response.end = (() => {
        response.statusCode = 504
        return end('gateway timeout')
      }) as typeof response.end
      return false
    }
    default:
      return false
  }
}

/** A body that the connection dies under. */
export function cutAfter(bytes: number, response: ServerResponse): Transform {
  let left = bytes
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const part = chunk.subarray(0, left)
      left -= part.length
      if (left > 0) done(null, part)
      else response.write(part, () => response.socket?.resetAndDestroy())
    },
  })
}

async function readSome(request: IncomingMessage, bytes: number): Promise<void> {
  let read = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    read += (chunk as Buffer).length
    if (read >= bytes) return
  }
}
