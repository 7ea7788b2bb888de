// SPDX-License-Identifier: Apache-2.0

import { commitRoute } from './commit-route.ts'
import { batch, completeMultipart, preupload, verify } from './lfs-routes.ts'
import { checkCard } from './model-card.ts'
import { addBranch, addTag, createRepo, sendCommits, sendInfo, sendRefs } from './ref-routes.ts'
import { failure, json, type Reply } from './reply.ts'
import type { Repository } from './repository.ts'
import { resolveFile } from './resolve-route.ts'
import { type Call, readObject } from './state.ts'
import { sendPaths, sendTree } from './tree-routes.ts'
import { sendXetToken } from './xet-tokens.ts'

export interface RepoCall extends Call {
  readonly repository: Repository
  /** what the route's pattern captured behind the repository, decoded */
  readonly args: readonly string[]
}

type Answer<C> = (call: C) => Reply | Promise<Reply>
type Route = readonly [method: string, pattern: RegExp, access: 'read' | 'write', answer: Answer<RepoCall>]

const ID = '([\\w.-]+(?:/|%2F)[\\w.-]+)'
const api = (rest: string) => new RegExp(`^/api/models/${ID}${rest}$`)

/** A revision is one encoded part of the path: refs%2Fpr%2F1. */
const ROUTES: readonly Route[] = [
  ['GET', api(''), 'read', sendInfo],
  ['GET', api('/revision/([^/]+)'), 'read', sendInfo],
  ['GET', api('/refs'), 'read', sendRefs],
  ['GET', api('/commits/(.+)'), 'read', sendCommits],
  ['GET', api('/tree/([^/]+)(?:/(.*))?'), 'read', sendTree],
  ['POST', api('/paths-info/([^/]+)'), 'read', sendPaths],
  ['POST', api('/preupload/([^/]+)'), 'write', preupload],
  ['POST', api('/commit/([^/]+)'), 'write', commitRoute],
  ['POST', api('/branch/([^/]+)'), 'write', addBranch],
  ['POST', api('/tag/([^/]+)'), 'write', addTag],
  ['GET', api('/xet-(read)-token/([^/]+)'), 'read', sendXetToken],
  ['GET', api('/xet-(write)-token/([^/]+)'), 'write', sendXetToken],
  ['POST', new RegExp(`^/${ID}\\.git/info/lfs/objects/batch$`), 'write', batch],
  ['POST', new RegExp(`^/${ID}\\.git/info/lfs/objects/verify$`), 'write', verify],
  ['GET', new RegExp(`^/${ID}/resolve/([^/]+)/(.+)$`), 'read', resolveFile],
  ['HEAD', new RegExp(`^/${ID}/resolve/([^/]+)/(.+)$`), 'read', resolveFile],
]

const LOG_IN = 'Invalid username or password.'

/** The hub's own API. */
export async function answerHub(call: Call): Promise<Reply> {
  const { request, url, state } = call
  const { authorization } = request.headers
  // ends an upload for clients that send no token along: the address is the permission
  if (url.pathname === '/api/complete_multipart' && request.method === 'POST') return completeMultipart(call)
  const isKnown = authorization === `Bearer ${state.token}`
  if (authorization !== undefined && !isKnown)
    return failure(401, 'Invalid credentials in Authorization header')
  const general = GENERAL[`${request.method} ${url.pathname}`]
  if (general) return general.isOpen || isKnown ? general.answer(call) : failure(401, LOG_IN)
  for (const [method, pattern, access, answer] of ROUTES) {
    const found = request.method === method && pattern.exec(url.pathname)
    if (!found) continue
    const [id = '', ...args] = found.slice(1).map((part) => decodeURIComponent(part ?? ''))
    const repository = state.repositories.get(id)
    // a stranger is not told which repositories there are
    if (!isKnown && (!repository || repository.private))
      return failure(401, 'Repository not found', 'RepoNotFound')
    if (!repository) return failure(404, 'Repository not found', 'RepoNotFound')
    if (!isKnown && access === 'write') return failure(401, LOG_IN)
    return answer({ ...call, repository, args })
  }
  return failure(404, `Cannot ${request.method} ${url.pathname}`)
}

const GENERAL: Readonly<Record<string, { readonly isOpen?: boolean; readonly answer: Answer<Call> }>> = {
  'GET /api/whoami-v2': { answer: whoAmI },
  'POST /api/validate-yaml': { isOpen: true, answer: validateYaml },
  'POST /api/repos/create': { answer: createRepo },
}

function whoAmI({ state }: Call): Reply {
  const accessToken = { displayName: 'stand-in', role: 'write', createdAt: '2026-01-01T00:00:00.000Z' }
  return json({
    ...{ type: 'user', id: '0123456789abcdef01234567', name: state.user, fullname: state.user },
    ...{ email: `${state.user}@example.com`, emailVerified: true, canPay: false, isPro: false, orgs: [] },
    ...{ avatarUrl: '', periodEnd: null, auth: { type: 'access_token', accessToken } },
  })
}

async function validateYaml({ request }: Call): Promise<Reply> {
  const { repoType, content } = (await readObject(request)) ?? {}
  if (repoType !== 'model' || typeof content !== 'string') return failure(400, 'repoType and content, please')
  const check = checkCard(content)
  return json(check, {}, check.errors.length > 0 ? 400 : 200)
}
