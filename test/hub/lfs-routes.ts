// SPDX-License-Identifier: Apache-2.0

import type { RepoCall } from './hub-routes.ts'
import { failure, json, type Reply, unknownRevision } from './reply.ts'
import { blobOid, isLarge } from './repository.ts'
import { type Call, isObject, parseObject, readBody, readObject } from './state.ts'
import { xetAction } from './xet-tokens.ts'

/** POST /api/models/{id}/preupload/{rev}: which files go where. */
export async function preupload({ request, repository, args }: RepoCall): Promise<Reply> {
  const [revision = ''] = args
  const { files, gitAttributes } = (await readObject(request)) ?? {}
  const commit = repository.resolve(revision)
  if (!commit) return unknownRevision(revision)
  if (!Array.isArray(files)) return failure(400, 'files must be an array')
  const own = typeof gitAttributes === 'string' ? gitAttributes : undefined
  const answers: object[] = []
  for (const file of files as unknown[]) {
    const { path, size, sample } = isObject(file) ? file : {}
    if (typeof path !== 'string' || typeof size !== 'number' || typeof sample !== 'string')
      return failure(400, 'a file needs path, size and sample')
    const before = commit.files.get(path)
    const oid = before && (before.kind === 'lfs' ? before.sha256 : blobOid(before))
    const uploadMode = isLarge(commit, path, size, own) ? 'lfs' : 'regular'
    answers.push({ path, uploadMode, shouldIgnore: false, ...(oid !== undefined && { oid }) })
  }
  return json({ files: answers, commitOid: commit.oid })
}

/**
 * POST /{id}.git/info/lfs/objects/batch: where objects that are not there yet can be put.
 * @see https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
 */
export async function batch(call: RepoCall): Promise<Reply> {
  const { request, state } = call
  const { operation, transfers, objects } = (await readObject(request)) ?? {}
  if (operation !== 'upload') return failure(400, `there are only uploads here, no ${operation}`)
  if (!Array.isArray(objects) || !Array.isArray(transfers))
    return failure(400, 'objects and transfers, please')
  const isXet = state.isXet && transfers.includes('xet')
  const answers = (objects as unknown[]).map((object) => {
    const { oid, size } = isObject(object) ? object : {}
    return objectAnswer(call, oid, size, isXet)
  })
  const isMultipart = answers.some(({ size }) => typeof size === 'number' && size > state.partSize)
  const transfer = isXet ? 'xet' : isMultipart ? 'multipart' : 'basic'
  return json({ transfer, objects: answers }, { 'content-type': 'application/vnd.git-lfs+json' })
}

function objectAnswer(call: RepoCall, oid: unknown, size: unknown, isXet: boolean) {
  const { state, repository } = call
  const no = (message: string) => ({ oid, size, error: { code: 422, message } })
  if (typeof oid !== 'string' || !/^[0-9a-f]{64}$/.test(oid)) return no('oid must be a sha256')
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size <= 0)
    return no(`size must be more than 0, not ${size}`)
  const stored = state.objects.size(oid)
  if (stored === size) return { oid, size }
  if (stored !== undefined) return no(`the object has ${stored} bytes, not ${size}`)
  const verify = { href: `${state.urls.hub}/${repository.id}.git/info/lfs/objects/verify` }
  const upload = isXet ? xetAction(state, repository.id) : uploadAction(call, oid, size)
  return { oid, size, actions: { upload, verify } }
}

/** One address for all of it, or one for each part, and one to say that all have arrived. */
function uploadAction({ state, fault }: RepoCall, oid: string, size: number): object {
  const { partSize, signer, uploads, urls } = state
  if (size <= partSize) return { href: signer.sign('PUT', `${urls.storage}/objects/${oid}?size=${size}`) }
  const count = Math.ceil(size / partSize)
  const id = uploads.begin(oid, size, count)
  const header: Record<string, string> = { chunk_size: String(partSize) }
  const given = fault?.kind === 'wrong-part-count' ? count - 1 : count
  for (let part = 1; part <= given; part++)
    header[String(part).padStart(5, '0')] = signer.sign('PUT', `${urls.storage}/uploads/${id}/${part}`)
  return { href: `${urls.hub}/api/complete_multipart?uploadId=${id}`, header }
}

/** POST /api/complete_multipart. */
export async function completeMultipart({ request, url, state, fault, seen }: Call): Promise<Reply> {
  const id = url.searchParams.get('uploadId') ?? ''
  const sha = state.uploads.sha256Of(id)
  if (sha !== undefined) seen.sha = sha
  const given = parseObject((await readBody(request)).toString())
  const problem = await state.uploads.complete(id, given)
  if (problem !== undefined) return failure(400, `Error completing the upload: ${problem}`)
  if (fault?.kind === 'store-corrupt' && sha !== undefined) await state.objects.corrupt(sha)
  return json({})
}

/** POST /{id}.git/info/lfs/objects/verify. */
export async function verify({ request, state }: RepoCall): Promise<Reply> {
  const { oid, size } = (await readObject(request)) ?? {}
  const isThere = typeof oid === 'string' && state.objects.size(oid) === size
  return isThere ? json({}) : failure(404, `Object ${oid} does not exist`)
}
