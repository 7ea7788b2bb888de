// SPDX-License-Identifier: Apache-2.0

import { createBranch, createRepo, HubApiError, whoAmI } from '@huggingface/hub'
import * as v from 'valibot'
import { libraryToken } from '../../eval/dataset/hub-token.ts'
import { fetchOnce, type RetryOptions, retrying, TransientError } from '../../eval/dataset/retrying-fetch.ts'
import { list, section, text } from '../../eval/runtime/schema.ts'
import { answerOf, type Connection, hubParams } from '../hub/connection.ts'
import { checkedText } from '../shared/checked.ts'
import { EXIT, Failure } from '../shared/failure.ts'

/* Repository, branch and tag on the hub. */

/** Refs of a repository as the hub lists them. */
export interface Refs {
  readonly branches: readonly string[]
  readonly tags: readonly { readonly name: string; readonly commit: string }[]
  readonly pullRequests: readonly { readonly ref: string; readonly commit: string }[]
}

/**
 * Check the hub's token with the hub.
 * @returns name of the user that the token belongs to
 * @throws Failure without a token, or with one that the hub does not accept
 */
export async function requireUser(hub: Connection, options: RetryOptions): Promise<string> {
  if (!hub.token) {
    throw new Failure(
      'There is no token for the hub, so nothing can be published.',
      'Set HF_TOKEN to a token with write access, or run: hf auth login. --dry-run works without.',
      EXIT.usage,
    )
  }
  try {
    const { name } = await whoAmI({ ...hubParams(hub, options), accessToken: libraryToken(hub.token) })
    return name
  } catch (error) {
    if (error instanceof HubApiError && [401, 403].includes(error.statusCode))
      throw new Failure(
        'The hub does not accept the token.',
        'Set HF_TOKEN to a valid one with write access.',
      )
    throw error
  }
}

/** Make the repository, which may have come to be meanwhile. */
export async function makeRepository(
  hub: Connection,
  repo: string,
  isPrivate: boolean,
  options: RetryOptions,
): Promise<void> {
  const visibility = isPrivate ? 'private' : 'public'
  const accessToken = libraryToken(hub.token ?? '')
  await createRepo({ ...hubParams(hub, options), accessToken, repo, visibility }).catch(unlessThere)
}

/** Make a branch, which may have come to be meanwhile. @param from a commit */
export async function makeBranch(
  hub: Connection,
  repo: string,
  branch: string,
  from: string | undefined,
  options: RetryOptions,
): Promise<void> {
  const revision = from && { revision: from }
  await createBranch({ ...hubParams(hub, options), repo, branch, ...revision }).catch(unlessThere)
}

function unlessThere(error: unknown): void {
  if (!(error instanceof HubApiError) || error.statusCode !== 409) throw error
}

const refs = v.optional(list(section({ name: text, ref: text, targetCommit: text })), [])
const REFS = section({ branches: refs, tags: refs, pullRequests: refs })

/**
 * Branches, tags and pull requests of a repository. The library has no call for this.
 * @throws Failure when the hub refuses, or its answer is not right
 */
export async function refsOf(hub: Connection, repo: string, options: RetryOptions): Promise<Refs> {
  const response = await call(hub, `/api/models/${repo}/refs?include_prs=1`, {}, options)
  if (!response.ok) throw new Failure(`The hub answers ${response.status} for the refs of ${repo}.`)
  const { branches, tags, pullRequests } = checkedText(REFS, await response.text(), answerOf(response.url))
  return {
    branches: branches.map(({ name }) => name),
    tags: tags.map(({ name, targetCommit }) => ({ name, commit: targetCommit })),
    pullRequests: pullRequests.map(({ ref, targetCommit }) => ({ ref, commit: targetCommit })),
  }
}

/**
 * Tag a commit.
 * @throws Failure when the tag is there for another commit: who has pinned it must not get something else
 */
export async function makeTag(
  hub: Connection,
  repo: string,
  { tag, commit, message }: { readonly tag: string; readonly commit: string; readonly message: string },
  options: RetryOptions,
): Promise<'made' | 'there'> {
  const path = `/api/models/${repo}/tag/${encodeURIComponent(commit)}`
  const response = await call(hub, path, posted({ tag, message }), options)
  if (response.ok) return 'made'
  if (response.status !== 409)
    throw new Failure(`The hub answers ${response.status} to the tag ${tag}.`, 'Run the same command again.')
  const there = (await refsOf(hub, repo, options)).tags.find(({ name }) => name === tag)
  if (there?.commit === commit) return 'there'
  if (there === undefined)
    throw new Failure(
      `The hub refuses the tag ${tag} of ${repo}, and does not list it.`,
      'The commit is made and right. Choose another --tag.',
    )
  throw new Failure(
    `The tag ${tag} of ${repo} is for ${there.commit.slice(0, 12)}, not for the new commit ${commit.slice(0, 12)}.`,
    'The commit is made and right. Choose another --tag, or delete the old one on the hub.',
  )
}

const remarks = v.optional(list(section({ message: v.optional(text) })), [])
const VALIDATED = section({ errors: remarks, warnings: remarks })

/**
 * Let the hub check a model card before anything is sent.
 * @returns what it minds; undefined when it offers no such check
 */
export async function cardProblems(
  hub: Connection,
  content: string,
  options: RetryOptions,
): Promise<{ readonly errors: string[]; readonly warnings: string[] } | undefined> {
  const init = posted({ repoType: 'model', content })
  const response = await call(hub, '/api/validate-yaml', init, options).catch((error) => {
    if (error instanceof TransientError) return undefined // the commit is checked anyway
    throw error
  })
  if (!response || ![200, 400, 422].includes(response.status)) return undefined
  const answer = v.safeParse(VALIDATED, await response.json().catch(() => undefined))
  if (!answer.success) return undefined
  const texts = (list: v.InferOutput<typeof remarks>) =>
    list.map((item) => item.message ?? JSON.stringify(item))
  return { errors: texts(answer.output.errors), warnings: texts(answer.output.warnings) }
}

function posted(value: object): RequestInit {
  return { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}

async function call(
  hub: Connection,
  path: string,
  init: RequestInit,
  options: RetryOptions,
): Promise<Response> {
  const headers = new Headers(init.headers)
  if (hub.token) headers.set('authorization', `Bearer ${hub.token}`)
  const { signal } = options
  const send = () => fetchOnce(hub.url + path, { ...init, headers, ...(signal && { signal }) })
  return retrying(send, options)
}
