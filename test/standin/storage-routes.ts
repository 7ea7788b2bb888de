import { createReadStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { cutAfter, type Fault } from './faults.ts'
import type { HubState } from './state.ts'

/** What S3 and the CDN do: PUT of objects and parts, completion, GET by ranges. */
export async function answerStorage(
  request: IncomingMessage,
  response: ServerResponse,
  state: HubState,
  fault: Fault | undefined,
  url: URL,
): Promise<void> {
  if (request.headers.authorization !== undefined)
    return xml(response, 400, 'InvalidArgument', 'Only one auth mechanism allowed')
  if (!state.signer.isValid(url)) return xml(response, 403, 'AccessDenied', 'Request has expired')
  const [, kind, id = '', number = ''] = url.pathname.split('/')
  if (request.method === 'PUT') return put(request, response, state, fault, url)
  if (request.method === 'POST' && kind === 'complete') return complete(request, response, state, id)
  if (request.method === 'GET' && kind === 'object') return send(request, response, state, fault, id)
  xml(response, 404, 'NoSuchKey', `${kind} ${id} ${number}`)
}

async function put(
  request: IncomingMessage,
  response: ServerResponse,
  { store }: HubState,
  fault: Fault | undefined,
  url: URL,
): Promise<void> {
  if (request.headers['transfer-encoding'] !== undefined || request.headers['content-length'] === undefined)
    return xml(
      response,
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
    )
  const [, kind, id = '', number = ''] = url.pathname.split('/')
  if (kind === 'part') {
    const etag = await store.part(id, Number(number), request)
    if (etag === undefined)
      return xml(response, 404, 'NoSuchUpload', 'The upload does not exist, or the part does not fit')
    response.writeHead(200, fault?.kind === 'missing-etag' ? {} : { etag }).end()
    return
  }
  const size = Number(url.searchParams.get('size'))
  const problem = await store.receive(id, size, request, fault?.kind === 'store-corrupt')
  if (problem !== undefined) return xml(response, 400, 'BadDigest', problem)
  response.writeHead(200, { etag: `"${id}"` }).end()
}

async function complete(
  request: IncomingMessage,
  response: ServerResponse,
  { store }: HubState,
  id: string,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const { parts } = JSON.parse(Buffer.concat(chunks).toString())
  const problem = await store.complete(id, parts)
  const status = problem === undefined ? 200 : 400
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(problem === undefined ? {} : { error: problem }))
}

async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { store }: HubState,
  fault: Fault | undefined,
  oid: string,
): Promise<void> {
  const size = await store.size(oid)
  if (size === undefined) return xml(response, 404, 'NoSuchKey', oid)
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const start = Number(first ?? 0)
  const end = Math.min(size, last ? Number(last) + 1 : size)
  if (start >= size && size > 0) {
    response.writeHead(416, { 'content-range': `bytes */${size}` }).end()
    return
  }
  response.writeHead(first === undefined ? 200 : 206, {
    ...{ 'content-length': end - start, 'accept-ranges': 'bytes', etag: `"${oid}"` },
    ...(first !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  })
  const body = createReadStream(store.path(oid), { start, end: end - 1 })
  if (fault?.kind === 'truncate') await pipeline(body, cutAfter(fault.afterBytes, response), response)
  else await pipeline(body, response)
}

function xml(response: ServerResponse, status: number, code: string, message: string): undefined {
  response.writeHead(status, { 'content-type': 'application/xml' })
  response.end(
    `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  )
}
