// SPDX-License-Identifier: Apache-2.0

import type { RepoCall } from './hub-routes.ts'
import { failure, json, type Reply, unknownRevision } from './reply.ts'
import { type Change, type Commit, isLarge, LARGE, type Stored } from './repository.ts'
import { type HubState, isObject, parseObject, readBody } from './state.ts'

interface Line {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

/** Why a commit is refused. */
class Refusal extends Error {
  readonly reply: Reply

  constructor(status: number, message: string, code?: string) {
    super(message)
    this.reply = failure(status, message, code)
  }
}

/** POST /api/models/{id}/commit/{branch}: all of it or nothing. */
export async function commitRoute(call: RepoCall): Promise<Reply> {
  const { request, repository, args, url, state } = call
  const [ref = ''] = args
  const body = await readBody(request)
  try {
    if (!request.headers['content-type']?.startsWith('application/x-ndjson'))
      throw new Refusal(400, 'a commit is application/x-ndjson')
    const [header, ...lines] = linesOf(body.toString())
    const head = repository.tip(ref)
    if (!head) return unknownRevision(ref)
    const change = { ...titleOf(header, head), files: changesOf(lines, head, state) }
    const isProposal = url.searchParams.has('create_pr')
    return isProposal ? propose(call, ref, change) : made(call, repository.commit(ref, change))
  } catch (error) {
    if (error instanceof Refusal) return error.reply
    throw error
  }
}

function made({ repository, state }: RepoCall, commit: Commit, more: object = {}): Reply {
  const commitUrl = `${state.urls.hub}/${repository.id}/commit/${commit.oid}`
  return json({ success: true, commitOid: commit.oid, commitUrl, hookOutput: '', ...more })
}

function propose(call: RepoCall, ref: string, change: Change): Reply {
  const { repository, state } = call
  const { commit, number } = repository.propose(ref, change)
  const pullRequestUrl = `${state.urls.hub}/${repository.id}/discussions/${number}`
  return made(call, commit, { pullRequestUrl })
}

/** One JSON object a line, and only the last may end in a newline of its own. */
function linesOf(body: string): Line[] {
  return body
    .replace(/\n$/, '')
    .split('\n')
    .map((text, i) => {
      const line = parseObject(text)
      const { key, value, ...rest } = line ?? {}
      if (typeof key !== 'string' || !isObject(value) || Object.keys(rest).length > 0)
        throw new Refusal(400, `line ${i + 1} is not {"key", "value"}`)
      return { key, value }
    })
}

function titleOf(header: Line | undefined, head: Commit): { title: string; description: string } {
  if (header?.key !== 'header') throw new Refusal(400, 'the first line must be the header')
  const { summary, description = '', parentCommit } = header.value
  if (typeof summary !== 'string' || summary === '') throw new Refusal(400, 'a commit needs a summary')
  if (typeof description !== 'string') throw new Refusal(400, 'the description must be a string')
  if (parentCommit !== undefined && parentCommit !== head.oid)
    throw new Refusal(412, 'A commit has happened since. Please refresh and try again.')
  return { title: summary, description }
}

function changesOf(lines: readonly Line[], head: Commit, state: HubState): Map<string, Stored | null> {
  const changes = new Map<string, Stored | null>()
  const change = (path: string, stored: Stored | null) => {
    if (changes.has(path)) throw new Refusal(400, `${path} is there twice`)
    changes.set(path, stored)
  }
  const own = ownAttributes(lines)
  for (const { key, value } of lines) {
    const path = pathOf(value['path'])
    if (key === 'file') change(path, regularOf(path, value, head, own))
    else if (key === 'lfsFile') change(path, largeOf(path, value, state))
    else if (key === 'deletedFile') {
      if (!head.files.has(path)) throw missing(path)
      change(path, null)
    } else if (key === 'deletedFolder') for (const file of filesIn(head, path)) change(file, null)
    else throw new Refusal(400, `there is no operation ${key}`)
  }
  return changes
}

function pathOf(path: unknown): string {
  const names = typeof path === 'string' ? path.replace(/\/$/, '').split('/') : ['']
  if (names.some((name) => ['', '.', '..', '.git'].includes(name)))
    throw new Refusal(400, `${JSON.stringify(path)} is no path`)
  return names.join('/')
}

/** The .gitattributes that a commit brings count for its other files. */
function ownAttributes(lines: readonly Line[]): string | undefined {
  const line = lines.find(({ key, value }) => key === 'file' && value['path'] === '.gitattributes')
  return line && bytesOf('.gitattributes', line.value).toString()
}

function regularOf(path: string, value: Line['value'], head: Commit, attributes?: string): Stored {
  const bytes = bytesOf(path, value)
  if (bytes.length >= LARGE) throw new Refusal(400, `${path} is too large for a regular file`)
  // an empty file cannot be an object, so it is regular whatever its name
  if (bytes.length > 0 && isLarge(head, path, bytes.length, attributes))
    throw new Refusal(400, `${path} belongs into large file storage`)
  return { kind: 'regular', bytes }
}

function bytesOf(path: string, { content, encoding }: Line['value']): Buffer {
  if (typeof content !== 'string') throw new Refusal(400, `${path} has no content`)
  if (encoding !== 'base64' && encoding !== 'utf-8')
    throw new Refusal(400, `${path} has encoding ${JSON.stringify(encoding)}`)
  const bytes = Buffer.from(content, encoding)
  if (encoding === 'base64' && bytes.toString('base64') !== content)
    throw new Refusal(400, `${path} is no base64`)
  return bytes
}

function largeOf(path: string, { algo, oid, size }: Line['value'], { objects }: HubState): Stored {
  if (algo !== 'sha256' || typeof oid !== 'string' || !/^[0-9a-f]{64}$/.test(oid))
    throw new Refusal(400, `${path} needs a sha256`)
  const stored = objects.size(oid)
  if (stored === undefined) throw new Refusal(400, `the object ${oid} of ${path} was not uploaded`)
  // copies come without a size
  if (size !== undefined && size !== stored)
    throw new Refusal(400, `the object of ${path} has ${stored} bytes, not ${size}`)
  return { kind: 'lfs', sha256: oid, size: stored }
}

function filesIn(head: Commit, folder: string): string[] {
  const files = [...head.files.keys()].filter((path) => path.startsWith(`${folder}/`))
  if (files.length === 0) throw missing(folder)
  return files
}

function missing(path: string): Refusal {
  return new Refusal(404, `Entry not found: ${path}`, 'EntryNotFound')
}
