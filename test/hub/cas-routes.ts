// SPDX-License-Identifier: Apache-2.0

import { parseRange } from './byte-range.ts'
import { reconstructionOf } from './reconstruction.ts'
import { failure, json, type Reply } from './reply.ts'
import { type Call, readBody } from './state.ts'
import { isTokenValid } from './xet-tokens.ts'

/**
 * The content-addressed storage of xet: xorbs and shards come in, reconstructions go out.
 * @see https://huggingface.co/docs/xet/en/index
 */
export async function answerCas(call: Call): Promise<Reply> {
  const { request, url, state } = call
  const [, version = '', kind = '', ...names] = url.pathname.split('/')
  const scope = request.method === 'POST' ? 'write' : 'read'
  if (!isTokenValid(state, request.headers.authorization, scope)) return failure(401, `no ${scope} token`)
  switch (`${request.method} ${version} ${kind}`) {
    case 'POST v1 xorbs':
      return names[0] === 'default' ? addXorb(call, names[1] ?? '') : failure(400, 'no such prefix')
    case 'POST v1 shards':
      return addShard(call, () => json({ result: 1 }))
    case 'POST v2 shards':
      return addShard(call, progress)
    case 'GET v1 reconstructions':
    case 'GET v2 reconstructions':
      return sendReconstruction(call, version, names[0] ?? '')
    case 'GET v1 chunks':
      return failure(404, 'no shard is known for this chunk')
    default:
      return failure(404, `Cannot ${request.method} ${url.pathname}`)
  }
}

async function addXorb({ request, state }: Call, hash: string): Promise<Reply> {
  const body = await readBody(request)
  try {
    return json({ was_inserted: await state.xet.addXorb(hash, body) })
  } catch (error) {
    return failure(400, messageOf(error))
  }
}

async function addShard(
  { request, state, fault }: Call,
  answer: (problem?: string) => Reply,
): Promise<Reply> {
  const body = await readBody(request)
  let kept: readonly string[]
  try {
    kept = await state.xet.addShard(body)
  } catch (error) {
    const problem = messageOf(error)
    return answer === progress ? progress(problem) : failure(400, problem)
  }
  if (fault?.kind === 'store-corrupt') for (const sha256 of kept) await state.objects.corrupt(sha256)
  return answer()
}

/** One JSON object a line, the last of which says how it went. */
function progress(problem?: string): Reply {
  const last =
    problem === undefined ? { type: 'result' } : { type: 'error', message: problem, retryable: false }
  const lines = [
    { type: 'validating', verified: 1, total: 1 },
    { type: 'committing', stage: 'uploading' },
    { type: 'committing', stage: 'syncing' },
  ]
  const all = problem === undefined ? [...lines, last] : [last]
  return {
    status: 200,
    headers: { 'content-type': 'application/x-ndjson' },
    body: all.map((line) => `${JSON.stringify(line)}\n`).join(''),
  }
}

/** Clients read on behind the end, and take 416 for it. */
function sendReconstruction({ request, state }: Call, version: string, hash: string): Reply {
  const file = state.xet.file(hash)
  if (!file) return failure(404, `no file ${hash}`)
  const range = parseRange(request.headers.range, file.size) ?? { start: 0, end: file.size }
  if (range.start >= range.end) return failure(416, 'the range starts behind the end')
  return json(reconstructionOf(state, file, range, version === 'v1' ? 'v1' : 'v2'))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
