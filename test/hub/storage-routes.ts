// SPDX-License-Identifier: Apache-2.0

import { rangeReply } from './byte-range.ts'
import { type Reply, xmlFailure } from './reply.ts'
import type { Call } from './state.ts'

/** What S3 and the CDN do: objects and parts come by PUT, objects and xorbs go by GET. */
export async function answerStorage(call: Call): Promise<Reply> {
  const { request, url, state, seen } = call
  const [, kind, id = '', part = ''] = url.pathname.split('/')
  const sha = kind === 'objects' ? id : kind === 'uploads' ? state.uploads.sha256Of(id) : undefined
  if (sha !== undefined) seen.sha = sha
  if (request.headers.authorization !== undefined)
    return xmlFailure(400, 'InvalidArgument', 'Only one auth mechanism allowed')
  const check = state.signer.check(request.method ?? '', url)
  if (check === 'expired') return xmlFailure(403, 'AccessDenied', 'Request has expired')
  if (check === 'forged') return xmlFailure(403, 'SignatureDoesNotMatch', 'The signature does not match')
  if (request.method === 'PUT') {
    const problem = lengthProblem(call)
    if (problem) return problem
    const reply = kind === 'uploads' ? await putPart(call, id, Number(part)) : await putObject(call, id)
    if (reply.status === 200) state.storedBytes += seen.received
    return reply
  }
  return kind === 'xorbs' ? sendXorb(call, id) : sendObject(call, id)
}

/** S3 takes no body whose length it does not know beforehand. */
function lengthProblem({ request }: Call): Reply | undefined {
  if (request.headers['transfer-encoding'] !== undefined)
    return xmlFailure(
      501,
      'NotImplemented',
      'A header you provided implies functionality that is not implemented',
    )
  if (request.headers['content-length'] !== undefined) return undefined
  return xmlFailure(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.')
}

async function putObject({ request, url, state, fault }: Call, sha256: string): Promise<Reply> {
  const size = Number(url.searchParams.get('size'))
  const problem = await state.objects.keep(await state.objects.receive(request), { sha256, size })
  if (problem !== undefined) return xmlFailure(400, 'BadDigest', problem)
  if (fault?.kind === 'store-corrupt') await state.objects.corrupt(sha256)
  return { status: 200, headers: { etag: `"${sha256}"` }, body: '' }
}

async function putPart({ request, state, fault }: Call, id: string, number: number): Promise<Reply> {
  const part = await state.uploads.put(id, number, request, fault?.kind === 'store-corrupt')
  if (!part) return xmlFailure(404, 'NoSuchUpload', 'The specified upload does not exist.')
  return { status: 200, headers: { etag: part.etag }, body: '' }
}

function sendObject({ request, state }: Call, sha256: string): Reply {
  const size = state.objects.size(sha256)
  if (size === undefined) return xmlFailure(404, 'NoSuchKey', 'The specified key does not exist.')
  const slice = { file: state.objects.path(sha256), start: 0, end: size }
  const headers = { 'content-type': 'application/octet-stream', etag: `"${sha256}"` }
  return rangeReply(slice, request.headers.range, headers)
}

/** The bytes that the address is signed for, and no others. */
function sendXorb({ request, url, state }: Call, hash: string): Reply {
  const slice = state.xet.fileOf(hash)
  if (!slice) return xmlFailure(404, 'NoSuchKey', 'The specified key does not exist.')
  if (request.headers.range !== url.searchParams.get('X-Xet-Signed-Range'))
    return xmlFailure(403, 'AccessDenied', 'The address is not for this range')
  return rangeReply(slice, request.headers.range, { 'content-type': 'application/octet-stream' })
}
