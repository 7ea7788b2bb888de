import type { IncomingMessage, ServerResponse } from 'node:http'
import { parse } from 'yaml'
import { commitRoute } from './commit-route.ts'
import type { Fault } from './faults.ts'
import { blobOid, type Commit, Repository } from './repository.ts'
import { type Call, fail, type HubState, json } from './state.ts'
import { XET_TOKEN, xetAction } from './xet.ts'

const ID = '([\\w.-]+/[\\w.-]+)'
type Route = readonly [
  method: string,
  pattern: RegExp,
  isWrite: boolean,
  answer: (call: Call) => Promise<void> | undefined,
]

const ROUTES: readonly Route[] = [
  ['GET', new RegExp(`^/api/models/${ID}$`), false, (call) => sendInfo(call, 'main')],
  [
    'GET',
    new RegExp(`^/api/models/${ID}/revision/(.+)$`),
    false,
    (call) => sendInfo(call, call.rest[0] ?? ''),
  ],
  ['GET', new RegExp(`^/api/models/${ID}/refs$`), false, sendRefs],
  ['GET', new RegExp(`^/api/models/${ID}/xet-write-token/(.+)$`), true, sendXetToken],
  ['GET', new RegExp(`^/api/models/${ID}/tree/([^/]+)(?:/(.*))?$`), false, sendTree],
  ['POST', new RegExp(`^/api/models/${ID}/paths-info/(.+)$`), false, sendPaths],
  ['POST', new RegExp(`^/api/models/${ID}/preupload/(.+)$`), true, preupload],
  ['POST', new RegExp(`^/${ID}\\.git/info/lfs/objects/batch$`), true, batch],
  ['POST', new RegExp(`^/api/models/${ID}/commit/(.+)$`), true, commitRoute],
  ['POST', new RegExp(`^/api/models/${ID}/branch/(.+)$`), true, makeBranch],
  ['POST', new RegExp(`^/api/models/${ID}/tag/(.+)$`), true, makeTag],
  ['GET', new RegExp(`^/${ID}/resolve/([^/]+)/(.+)$`), false, sendFile],
  ['HEAD', new RegExp(`^/${ID}/resolve/([^/]+)/(.+)$`), false, sendFile],
]

/** The hub's own API. */
export async function answerHub(
  request: IncomingMessage,
  response: ServerResponse,
  state: HubState,
  _fault: Fault | undefined,
  url: URL,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const body = Buffer.concat(chunks)
  const isKnown = request.headers.authorization === `Bearer ${state.token}`
  if (request.headers.authorization !== undefined && !isKnown)
    return fail(response, 401, 'Invalid credentials')
  if (url.pathname === '/api/whoami-v2') {
    if (!isKnown) return fail(response, 401, 'Invalid username or password.')
    return json(response, { type: 'user', name: 'tester', orgs: [], auth: { type: 'access_token' } })
  }
  if (url.pathname === '/api/validate-yaml') return validateCard(response, body)
  if (url.pathname === '/api/repos/create') return createRepository(response, state, body, isKnown)
  for (const [method, pattern, isWrite, answer] of ROUTES) {
    const found = request.method === method && pattern.exec(url.pathname)
    if (!found) continue
    const [id = '', ...rest] = found.slice(1).map((part) => decodeURIComponent(part ?? ''))
    const repository = state.repositories.get(id)
    if (isWrite && !isKnown) return fail(response, 401, 'Invalid username or password.')
    if (!repository || (repository.isPrivate && !isKnown))
      return fail(response, isKnown ? 404 : 401, 'Repository not found', 'RepoNotFound')
    return answer({ request, response, state, url, repository, rest, body })
  }
  fail(response, 404, `Cannot ${request.method} ${url.pathname}`)
}

function createRepository(
  response: ServerResponse,
  state: HubState,
  body: Buffer,
  isKnown: boolean,
): undefined {
  if (!isKnown) return fail(response, 401, 'Invalid username or password.')
  const { name, organization, type = 'model', visibility } = JSON.parse(body.toString())
  const id = `${organization ?? 'tester'}/${name}`
  if (type !== 'model') return fail(response, 400, 'only models here')
  if (state.repositories.has(id)) return fail(response, 409, 'You already created this model repo')
  state.repositories.set(id, new Repository(id, visibility === 'private'))
  json(response, { url: `${state.hubUrl}/${id}`, id, name: id })
}

/** What the hub minds about the YAML in front of a model card. */
function validateCard(response: ServerResponse, body: Buffer): undefined {
  const { content } = JSON.parse(body.toString())
  const errors: { message: string }[] = []
  try {
    const data = parse(/^---\n(.*?)\n---\n/s.exec(content)?.[1] ?? '') ?? {}
    if (typeof data.license !== 'string') errors.push({ message: '"license" must be a string' })
    if (data.tags !== undefined && !Array.isArray(data.tags))
      errors.push({ message: '"tags" must be an array' })
    for (const { name, results } of data['model-index'] ?? []) {
      const isWhole = (results ?? []).every(
        (result: {
          task?: { type?: string }
          dataset?: { type?: string; name?: string }
          metrics?: { type?: string; value?: unknown }[]
        }) =>
          result.task?.type &&
          result.dataset?.type &&
          result.dataset.name &&
          result.metrics?.every(({ type, value }) => type && value !== undefined),
      )
      if (!name || !results || !isWhole) errors.push({ message: '"model-index[0].results" is invalid' })
    }
  } catch (error) {
    errors.push({ message: `YAML: ${(error as Error).message}` })
  }
  response.writeHead(errors.length > 0 ? 400 : 200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ errors, warnings: [] }))
}

function sendInfo({ response, repository }: Call, revision: string): undefined {
  const commit = repository.resolve(revision)
  if (!commit) return fail(response, 404, `Invalid rev id: ${revision}`, 'RevisionNotFound')
  json(response, {
    ...{
      _id: '1',
      id: repository.id,
      modelId: repository.id,
      sha: commit.oid,
      private: repository.isPrivate,
    },
    ...{ gated: false, downloads: 0, likes: 0, tags: [], lastModified: '2026-01-01T00:00:00.000Z' },
    siblings: [...commit.files.keys()].map((rfilename) => ({ rfilename })),
  })
}

function sendRefs({ response, repository, url }: Call): undefined {
  const listed = (refs: ReadonlyMap<string, string>, prefix: string) =>
    [...refs].map(([name, targetCommit]) => ({ name, ref: `${prefix}${name}`, targetCommit }))
  json(response, {
    branches: listed(repository.branches, 'refs/heads/'),
    tags: listed(repository.tags, 'refs/tags/'),
    converts: [],
    ...(url.searchParams.has('include_prs') && { pullRequests: listed(repository.pullRequests, '') }),
  })
}

export function entryOf(path: string, commit: Commit): object {
  const stored = commit.files.get(path)
  if (!stored) throw new Error(`no ${path}`)
  if (stored.kind === 'regular')
    return { type: 'file', oid: blobOid(stored), size: stored.bytes.length, path }
  const lfs = { oid: stored.oid, size: stored.size, pointerSize: 134 }
  return { type: 'file', oid: blobOid(stored), size: stored.size, path, lfs }
}

/** In pages, with the address of the next one. */
function sendTree({ response, repository, rest, url, state }: Call): undefined {
  const [revision = '', folder = ''] = rest
  const commit = repository.resolve(revision)
  if (!commit) return fail(response, 404, `Invalid rev id: ${revision}`, 'RevisionNotFound')
  const paths = [...commit.files.keys()].filter((path) => path.startsWith(folder)).sort()
  const from = Number(url.searchParams.get('cursor') ?? 0)
  const next = new URL(url.pathname + url.search, state.hubUrl)
  next.searchParams.set('cursor', String(from + state.pageSize))
  if (from + state.pageSize < paths.length) response.setHeader('link', `<${next.href}>; rel="next"`)
  json(
    response,
    paths.slice(from, from + state.pageSize).map((path) => entryOf(path, commit)),
  )
}

function sendPaths({ request, response, repository, rest, body }: Call): undefined {
  const commit = repository.resolve(rest[0] ?? '')
  if (!commit) return fail(response, 404, `Invalid rev id: ${rest[0]}`, 'RevisionNotFound')
  const isForm = request.headers['content-type']?.includes('form')
  const paths: string[] = isForm
    ? new URLSearchParams(body.toString()).getAll('paths')
    : JSON.parse(body.toString()).paths
  json(
    response,
    paths.filter((path) => commit.files.has(path)).map((path) => entryOf(path, commit)),
  )
}

function preupload({ response, repository, rest, body }: Call): undefined {
  const [branch = ''] = rest
  const commit = repository.resolve(branch)
  if (!commit) return fail(response, 404, `Invalid rev id: ${branch}`, 'RevisionNotFound')
  const { files } = JSON.parse(body.toString()) as { files: { path: string; size: number; sample: string }[] }
  json(response, {
    files: files.map(({ path, size }) => ({
      ...{ path, shouldIgnore: false, uploadMode: repository.isLfs(branch, path, size) ? 'lfs' : 'regular' },
    })),
    commitOid: commit.oid,
  })
}

/** @see https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md */
async function batch({ response, state, body, repository }: Call): Promise<void> {
  const { operation, objects, transfers } = JSON.parse(body.toString()) as {
    operation: string
    objects: { oid: string; size: number }[]
    transfers: string[]
  }
  if (operation !== 'upload') return fail(response, 400, 'only uploads here')
  const isXet = state.casUrl !== '' && transfers.includes('xet')
  const isMultipart = objects.some(({ size }) => size > state.partSize)
  const answered = await Promise.all(
    objects.map(async ({ oid, size }) => {
      if (!/^[0-9a-f]{64}$/.test(oid) || size === 0)
        return { oid, size, error: { code: 422, message: 'invalid object' } }
      if ((await state.store.size(oid)) === size) return { oid, size }
      return {
        oid,
        size,
        actions: {
          upload: isXet
            ? xetAction(state.hubUrl, repository.id, state.casUrl)
            : uploadAction(state, oid, size),
        },
      }
    }),
  )
  json(response, { transfer: isXet ? 'xet' : isMultipart ? 'multipart' : 'basic', objects: answered })
}

function uploadAction({ signer, store, partSize }: HubState, oid: string, size: number): object {
  if (size <= partSize) return { href: signer.sign(`/basic/${oid}`, { size: String(size) }) }
  const { id } = store.begin(oid, size, partSize)
  const header: Record<string, string> = { chunk_size: String(partSize) }
  for (let part = 1; (part - 1) * partSize < size; part++)
    header[String(part).padStart(5, '0')] = signer.sign(`/part/${id}/${part}`)
  return { href: signer.sign(`/complete/${id}`), header }
}

function sendXetToken({ response, state }: Call): undefined {
  json(response, { accessToken: XET_TOKEN, casUrl: state.casUrl, exp: Math.floor(Date.now() / 1000) + 3600 })
}

function makeBranch({ response, repository, rest, body }: Call): undefined {
  const [branch = ''] = rest
  const { startingPoint = 'main' } = body.length > 0 ? JSON.parse(body.toString()) : {}
  if (repository.branches.has(branch)) return fail(response, 409, 'Reference already exists')
  const commit = repository.resolve(startingPoint)
  if (!commit) return fail(response, 404, 'Invalid rev id', 'RevisionNotFound')
  repository.branches.set(branch, commit.oid)
  json(response, {})
}

function makeTag({ response, repository, rest, body }: Call): undefined {
  const { tag } = JSON.parse(body.toString())
  if (repository.tags.has(tag)) return fail(response, 409, 'Tag reference exists already')
  const commit = repository.resolve(rest[0] ?? '')
  if (!commit) return fail(response, 404, 'Invalid rev id', 'RevisionNotFound')
  repository.tags.set(tag, commit.oid)
  json(response, {})
}

function sendFile({ request, response, repository, rest, state }: Call): undefined {
  const [revision = '', path = ''] = rest
  const commit = repository.resolve(revision)
  if (!commit) return fail(response, 404, `Invalid rev id: ${revision}`, 'RevisionNotFound')
  const stored = commit.files.get(path)
  response.setHeader('x-repo-commit', commit.oid)
  if (!stored) return fail(response, 404, 'Entry not found', 'EntryNotFound')
  if (stored.kind === 'lfs') {
    response.writeHead(302, {
      location: state.signer.sign(`/object/${stored.oid}`),
      ...{ 'x-linked-size': stored.size, 'x-linked-etag': `"${stored.oid}"`, 'content-length': 0 },
    })
    response.end()
    return
  }
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const { length } = stored.bytes
  const [start, end] = [Number(first ?? 0), Math.min(length, last ? Number(last) + 1 : length)]
  response.writeHead(first === undefined ? 200 : 206, {
    ...{ etag: `"${blobOid(stored)}"`, 'content-length': end - start },
    ...(first !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${length}` }),
  })
  response.end(request.method === 'HEAD' ? undefined : stored.bytes.subarray(start, end))
}
