// SPDX-License-Identifier: Apache-2.0

import { type CommitOutput, type CommitProgressEvent, commitIter, HubApiError } from '@huggingface/hub'
import { libraryToken } from '../../eval/dataset/hub-token.ts'
import { type RetryOptions, TransientError } from '../../eval/dataset/retrying-fetch.ts'
import { defined } from '../../eval/runtime/defined.ts'
import type { Connection } from '../hub/connection.ts'
import { explainHubError } from '../hub/repository.ts'
import { UnknownOutcome, uploadFetch } from '../hub/upload-fetch.ts'
import { Failure } from '../shared/failure.ts'
import { isDone, type Plan, stepsOf } from './plan.ts'
import type { PublishChoices } from './publish-choices.ts'
import type { Progress } from './upload-progress.ts'

/** What is not this is storage, also where the hub itself ends uploads in parts (`/api/complete_multipart`). */
const HUBS_API = /\/api\/models\/|\.git\/info\/lfs\//
/** Runs without an object more on the hub than before, until it is given up. */
const FRUITLESS = 3

/** Where a plan is uploaded, and how the commit is named. */
export interface UploadTarget extends Pick<PublishChoices, 'repo' | 'branch' | 'createPr' | 'useXet'> {
  readonly hub: Connection
  readonly title: string
  readonly description?: string
}

/** What an upload reports to and looks up. */
export interface UploadContext extends RetryOptions {
  readonly signal: AbortSignal
  readonly stallMs?: number
  readonly progress: Progress
  readonly note: (text: string) => void
  /** look at the repository again */
  replan(): Promise<Plan>
  /** a pull request with exactly this content that was not there before */
  findPullRequest(): Promise<{ readonly commit: string; readonly url: string } | undefined>
}

/** The commit that an upload has made, with its pull request where it was asked for one. */
export interface Uploaded {
  readonly commit: string
  readonly pullRequest?: string
  /** runs of the commit that it took */
  readonly attempts: number
}

/**
 * Make the plan true in one commit on top of the commit that it was made for. After a fault the repository is read
 * again, which shows whether the commit was made, somebody else made one, or nothing has happened: then it continues,
 * and what is stored is not sent again.
 * @throws Failure when somebody else has committed, or nothing gets on any more
 */
export async function upload(plan: Plan, target: UploadTarget, context: UploadContext): Promise<Uploaded> {
  let fruitless = 0
  for (let attempts = 1; ; attempts++) {
    const stored = context.progress.stored()
    try {
      const { commit, pullRequestUrl } = await commitOnce(plan, target, context)
      return defined({ commit: commit.oid, attempts, pullRequest: pullRequestUrl })
    } catch (error) {
      context.signal.throwIfAborted()
      const made = await commitMade(plan, target, context, error)
      if (made) return { ...made, attempts }
      if (!mayGoOn(error)) throw explainHubError(error, target.repo)
      fruitless = context.progress.stored() > stored ? 0 : fruitless + 1
      if (fruitless === FRUITLESS) throw explainHubError(error, target.repo)
      context.note(`${(error as Error).message}; going on with what is missing`)
    }
  }
}

async function commitOnce(plan: Plan, target: UploadTarget, context: UploadContext): Promise<CommitOutput> {
  const { hub, repo, branch, title, description, createPr, useXet } = target
  const { progress, signal } = context
  const files = stepsOf(plan, 'add', 'update').flatMap(({ file }) => file ?? [])
  const planned = new Set(files.map(({ sha256 }) => sha256))
  const run = commitIter({
    ...{ hubUrl: hub.url, repo, branch, title, useXet, abortSignal: signal, isPullRequest: createPr },
    ...defined({ accessToken: hub.token && libraryToken(hub.token), description, parentCommit: plan.parent }),
    operations: [
      ...files.map(({ path, content }) => ({ operation: 'addOrUpdate' as const, path, content })),
      ...stepsOf(plan, 'delete').map(({ path }) => ({ operation: 'delete' as const, path })),
    ],
    fetch: uploadFetch({
      ...{ ...context, origin: new URL(hub.url).origin, planned, signal },
      ...defined({ token: hub.token }),
      onMissing: (bytes) => progress.missing(bytes),
      onBytes: (count) => progress.add(count),
      onStored: () => progress.addStored(),
    }),
  })
  const sizes = new Map(files.map(({ path, size }) => [path, size]))
  progress.begin([...sizes.values()].reduce((sum, size) => sum + size, 0))
  // The library lets some errors of parallel uploads go; unheard, they would end the process.
  let stray = (_error: unknown): void => {}
  const strayed = new Promise<never>((_, reject) => {
    stray = reject
  })
  strayed.catch(() => undefined)
  process.on('unhandledRejection', stray)
  try {
    return await follow(run, strayed, (event) => show(event, sizes, context, useXet))
  } finally {
    process.off('unhandledRejection', stray)
  }
}

async function follow(
  run: AsyncGenerator<CommitProgressEvent, CommitOutput | undefined>,
  strayed: Promise<never>,
  onEvent: (event: CommitProgressEvent) => void,
): Promise<CommitOutput> {
  for (;;) {
    const { done, value } = await Promise.race([run.next(), strayed])
    if (!done) onEvent(value)
    else if (value === undefined) throw new Failure('The hub did not return the new commit.')
    else return value
  }
}

function show(
  event: CommitProgressEvent,
  sizes: ReadonlyMap<string, number>,
  { progress }: UploadContext,
  useXet: boolean,
): void {
  if (event.event === 'phase') {
    progress.phase(event.phase)
    return
  }
  const bytes = event.progress * (sizes.get(event.path) ?? 0)
  if (event.state === 'hashing') progress.hashed(event.path, bytes)
  else if (useXet) progress.xet(event.path, bytes)
}

/**
 * Whether the commit was made in spite of an error: the branch, or a new pull request, has what was planned.
 * @throws Failure when the branch has moved to something else
 */
async function commitMade(
  plan: Plan,
  { createPr, repo, branch }: UploadTarget,
  context: UploadContext,
  error: unknown,
): Promise<{ commit: string; pullRequest?: string } | undefined> {
  const isConflict = error instanceof HubApiError && error.statusCode === 412
  if (!isConflict && !mayGoOn(error)) return undefined
  if (createPr) {
    const found = await context.findPullRequest()
    return found && { commit: found.commit, pullRequest: found.url }
  }
  const now = await context.replan()
  if (now.parent !== undefined && now.parent !== plan.parent && isDone(now)) return { commit: now.parent }
  if (now.parent === plan.parent && !isConflict) return undefined
  throw new Failure(
    `Another commit was made to ${repo}, ${branch}, since the plan was made (${plan.parent?.slice(0, 12)}, now ${now.parent?.slice(0, 12)}). Nothing was changed.`,
    'Run the same command again to see the new plan.',
  )
}

/** A fault of the way, an address that has expired, a part that came out wrong: another run may do. */
function mayGoOn(error: unknown): boolean {
  if (error instanceof TransientError || error instanceof UnknownOutcome) return true
  if (error instanceof TypeError && error.cause !== undefined) return true
  if (error instanceof HubApiError) {
    const isOfStorage = !HUBS_API.test(error.url)
    return error.statusCode >= 500 || (isOfStorage && [400, 403, 404].includes(error.statusCode))
  }
  // the library's own words for answers of the storage that lack something
  return error instanceof Error && /ETag|wrong number of parts/.test(error.message)
}
