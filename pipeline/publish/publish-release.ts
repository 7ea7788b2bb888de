// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { remoteFile } from '../../eval/dataset/remote-file.ts'
import type { RetryOptions } from '../../eval/dataset/retrying-fetch.ts'
import { plural } from '../../eval/plural.ts'
import type { Connection } from '../hub/connection.ts'
import { commitOf, explainHubError, fileUrl, type RemoteFile, treeOf } from '../hub/repository.ts'
import { parseManifest, readManifest } from '../release/manifest.ts'
import type { Manifest } from '../release/manifest-schema.ts'
import { CARD, findRelease, MANIFEST, type ReleaseFolder } from '../release/release-files.ts'
import { remedyOf, verifyRelease } from '../release/verify-release.ts'
import type { Emit } from '../shared/events.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { formatBytes } from '../shared/output-files.ts'
import { ownVersion } from '../shared/own-version.ts'
import { type CheckOptions, checkRemote, type ReadBack } from './check-remote.ts'
import { type HubFile, hubFiles } from './hub-files.ts'
import { type Action, bytesOf, isDone, makePlan, type Plan, stepsOf } from './plan.ts'
import type { PublishChoices } from './publish-choices.ts'
import { type Receipt, type ReceiptInput, receiptOf } from './receipt.ts'
import { cardProblems, makeBranch, makeRepository, makeTag, refsOf, requireUser } from './remote-setup.ts'
import { upload } from './upload.ts'
import { Progress } from './upload-progress.ts'

/** Where a receipt goes, in the model directory. */
export const RECEIPT = 'publish-receipt.json'

const NO_TOKEN =
  'There is no token for the hub, which publishing needs: set HF_TOKEN, or run hf auth login. Private repositories are not found without it.'

/** How a release is published. */
export interface PublishOptions extends PublishChoices {
  readonly hub: Connection
  /** a release folder, or the model directory that it is in */
  readonly folder: string
  /** the commit that an earlier run has read back */
  readonly verifiedCommit?: string
  /** asked before anything is deleted */
  confirm(question: string): Promise<boolean>
  readonly network?: RetryOptions & { readonly stallMs?: number }
  readonly emit: Emit
  readonly signal: AbortSignal
}

/** What came of it. */
export interface Published {
  readonly outcome: 'planned' | 'nothing to do' | 'published'
  readonly receipt?: Receipt
}

/**
 * Bring a release to a repository of the hub. Check it, compare, and upload what differs in one commit on top of the
 * one that was compared with, and check what the hub has then.
 * @throws Failure when the release is not right, the hub refuses, somebody else commits meanwhile, or what was stored is wrong
 */
export async function publish(options: PublishOptions): Promise<Published> {
  const { repo } = options
  const release = await findRelease(options.folder)
  const manifest = await readManifest(release.root)
  const what = { manifest, software: await ownVersion() }
  await freeze(release, manifest, options)
  const files = await hubFiles(release, manifest, options.archives)
  const network = networkOf(options)
  try {
    if (options.dryRun && !options.hub.token) options.emit({ event: 'note', text: NO_TOKEN })
    else await requireUser(options.hub, network)
    await checkCard(release, options)
    const plan = await planFor(files, options)
    show(plan, options)
    await requireFreeTag(plan, options)
    if (options.dryRun) return { outcome: 'planned' }
    await confirmDeletions(plan, options)
    const base = await prepareTarget(plan, files, options)
    if (isDone(base)) return await leaveAsItIs(base, files, what, options)
    return await carryOut(base, files, what, options)
  } catch (error) {
    throw explainHubError(error, repo)
  }
}

function networkOf({ network, signal, emit }: PublishOptions): RetryOptions & { readonly stallMs?: number } {
  return { ...network, signal, onRetry: (reason) => emit({ event: 'note', text: `${reason}; trying again` }) }
}

/** Every byte is looked at before the plan; what changes later is noticed by its hash. */
async function freeze(release: ReleaseFolder, manifest: Manifest, options: PublishOptions): Promise<void> {
  const { emit, signal, allowUngated } = options
  if (manifest.ungated.length > 0 && !allowUngated) {
    throw new Failure(
      `${release.root} was not validated: ${manifest.ungated.join(' ')}`,
      'Run the pipeline with --from validate; or publish it all the same with --allow-ungated.',
      EXIT.gate,
    )
  }
  const checks = await verifyRelease(release, manifest, { threads: 1, variants: [], emit, signal })
  const problems = checks.flatMap((check) => check.problems)
  if (problems.length === 0) return
  throw new Failure(
    `${release.root} is not right: ${problems[0]}${problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''}`,
    remedyOf(checks, 'Package it again: npm run package -- MODEL_DIR'),
    EXIT.gate,
  )
}

/** The hub rejects a commit whose model card it cannot read, which is better known before gigabytes are sent. */
async function checkCard({ root }: ReleaseFolder, options: PublishOptions): Promise<void> {
  const content = await readFile(join(root, CARD), 'utf8')
  try {
    parse(/^---\n(.*?)\n---\n/s.exec(content)?.[1] ?? '')
  } catch (error) {
    throw new Failure(`${CARD} does not begin with YAML: ${(error as Error).message}`, 'Package it again.')
  }
  const found = await cardProblems(options.hub, content, networkOf(options))
  for (const text of found?.warnings ?? []) options.emit({ event: 'note', text: `${CARD}: ${text}` })
  if (!found || found.errors.length === 0) return
  throw new Failure(`The hub does not accept ${CARD}: ${found.errors.join(' ')}`, 'Package it again.')
}

async function planFor(files: readonly HubFile[], options: PublishOptions): Promise<Plan> {
  const { hub, repo, branch, mirror } = options
  const network = networkOf(options)
  const parent = await commitOf(hub, repo, branch, network)
  const base = parent ?? (await commitOf(hub, repo, undefined, network))
  // a new branch begins as the default one
  const remote = base === undefined ? new Map<string, RemoteFile>() : await treeOf(hub, repo, base, network)
  const earlier = base === undefined ? [] : await releasedFiles(remote, base, options)
  return makePlan(files, remote, { mirror, parent, earlier })
}

/** Files of the release that the repository holds now, as its manifest says. */
async function releasedFiles(
  remote: ReadonlyMap<string, RemoteFile>,
  commit: string,
  options: PublishOptions,
): Promise<readonly string[]> {
  const { hub, repo } = options
  const there = remote.get(MANIFEST)
  if (!there) return []
  const address = fileUrl(hub, repo, commit, MANIFEST)
  const bytes = await remoteFile(address, there.size, {
    ...networkOf(options),
    ...(hub.token && { token: hub.token }),
  }).slice(0, there.size)
  try {
    return parseManifest(Buffer.from(bytes).toString(), MANIFEST).files.map(({ path }) => path)
  } catch {
    return [] // another project's
  }
}

/** A tag that people have pinned does not move, which is better known before gigabytes are sent. */
async function requireFreeTag(plan: Plan, options: PublishOptions): Promise<void> {
  const { tag, hub, repo } = options
  if (tag === undefined) return
  const network = networkOf(options)
  if (plan.parent === undefined && (await commitOf(hub, repo, undefined, network)) === undefined) return
  const there = (await refsOf(hub, repo, network)).tags.find(({ name }) => name === tag)
  if (!there || (isDone(plan) && there.commit === plan.parent)) return
  throw new Failure(
    `The tag ${tag} of ${repo} is there already, for ${there.commit.slice(0, 12)}, which is not what would be tagged.`,
    'Nothing was changed. Choose another --tag, or delete the old one on the hub.',
  )
}

const ACTIONS: readonly Action[] = ['add', 'update', 'delete', 'unchanged', 'keep']

function show(plan: Plan, { repo, branch, emit }: PublishOptions): void {
  const rows = ACTIONS.flatMap((action) =>
    stepsOf(plan, action).map(({ path, size }) => [action, path, formatBytes(size)]),
  )
  const counts = ACTIONS.flatMap((action) => {
    const steps = stepsOf(plan, action)
    return steps.length === 0 ? [] : [`${action} ${steps.length} (${formatBytes(bytesOf(steps))})`]
  })
  const where = plan.parent === undefined ? 'new' : `at ${plan.parent.slice(0, 12)}`
  emit({
    event: 'table',
    title: `Plan for ${repo}, ${branch} (${where}): ${counts.join(', ')}`,
    columns: ['action', 'file', 'size'],
    rows,
  })
}

async function confirmDeletions(plan: Plan, { confirm, repo }: PublishOptions): Promise<void> {
  const steps = stepsOf(plan, 'delete')
  if (steps.length === 0) return
  const question = `Delete ${plural(steps.length, 'file')} (${formatBytes(bytesOf(steps))}) of ${repo}?`
  if (await confirm(question)) return
  throw new Failure(
    'Nothing was changed: the deletion was not confirmed.',
    'They are of an earlier release, or with --mirror of no release: a reader could use them as parts of this one.',
    EXIT.usage,
  )
}

/** What no run has read back yet (one was killed, or has found other bytes) is looked at before it is tagged. */
async function leaveAsItIs(
  plan: Plan,
  files: readonly HubFile[],
  what: Pick<ReceiptInput, 'manifest' | 'software'>,
  options: PublishOptions,
): Promise<Published> {
  const commit = plan.parent ?? ''
  options.emit({ event: 'note', text: `Nothing to do: ${options.repo} has it all at ${commit.slice(0, 12)}` })
  const readBack = options.readBack ?? (commit === options.verifiedCommit ? undefined : 'sample')
  const check = readBack && (await checkRemote(files, files, checkOptions(options, commit, readBack)))
  await tag(options, commit)
  // of a commit that has a receipt, the run that made it recorded more
  if (!check || readBack === 'none' || commit === options.verifiedCommit) return { outcome: 'nothing to do' }
  const { steps } = plan
  const none = { attempts: 0, seconds: 0, retries: 0 }
  const receipt = receiptOf({ ...options, ...what, ...none, commit, plan: { steps }, check })
  return { outcome: 'nothing to do', receipt }
}

async function carryOut(
  plan: Plan,
  files: readonly HubFile[],
  what: Pick<ReceiptInput, 'manifest' | 'software'>,
  options: PublishOptions,
): Promise<Published> {
  const { hub, repo, branch, createPr, useXet, emit, signal, message } = options
  const { manifest } = what
  const network = networkOf(options)
  const started = performance.now()
  const retries = { count: 0 }
  const before = createPr ? await refsOf(hub, repo, network) : undefined
  const title = message ?? `${manifest.name}: ${manifest.source.model} as ONNX`
  const uploaded = await upload(
    plan,
    { hub, repo, branch, title, createPr, useXet, description: `Made with ${manifest.command}` },
    {
      ...network,
      onRetry: (reason) => {
        retries.count++
        network.onRetry?.(reason)
      },
      ...{ signal, progress: new Progress(emit), note: (text) => emit({ event: 'note', text }) },
      replan: () => planFor(files, options),
      findPullRequest: () => findPullRequest(before?.pullRequests ?? [], files, options),
    },
  )
  const seconds = (performance.now() - started) / 1000
  emit({ event: 'note', text: `Committed ${uploaded.commit} to ${repo}` })
  const sent = stepsOf(plan, 'add', 'update').flatMap(({ file }) => file ?? [])
  const check = await checkRemote(
    files,
    sent,
    checkOptions(options, uploaded.commit, options.readBack ?? 'sample'),
  )
  await tag(options, uploaded.commit)
  const receipt = receiptOf({
    ...{ ...options, ...what, ...uploaded, plan, check, seconds, retries: retries.count },
  })
  return { outcome: 'published', receipt }
}

/** The repository and the branch, made where they are not there; then the plan is made for what they hold. */
async function prepareTarget(plan: Plan, files: readonly HubFile[], options: PublishOptions): Promise<Plan> {
  const { hub, repo, branch, isPrivate, emit } = options
  if (plan.parent !== undefined) return plan
  const network = networkOf(options)
  let head = await commitOf(hub, repo, undefined, network)
  if (head === undefined) {
    await makeRepository(hub, repo, isPrivate, network)
    emit({ event: 'note', text: `Made the ${isPrivate ? 'private' : 'public'} repository ${repo}` })
    head = await commitOf(hub, repo, undefined, network)
  }
  if ((await commitOf(hub, repo, branch, network)) === undefined)
    await makeBranch(hub, repo, branch, head, network)
  return planFor(files, options)
}

/** After a lost answer: a pull request that was not there before and has it all. */
async function findPullRequest(
  before: readonly { readonly ref: string }[],
  files: readonly HubFile[],
  options: PublishOptions,
): Promise<{ commit: string; url: string } | undefined> {
  const { hub, repo, mirror } = options
  const network = networkOf(options)
  const known = new Set(before.map(({ ref }) => ref))
  for (const { ref, commit } of (await refsOf(hub, repo, network)).pullRequests) {
    if (known.has(ref)) continue
    const plan = await makePlan(files, await treeOf(hub, repo, commit, network), { mirror, parent: commit })
    if (isDone(plan)) return { commit, url: `${hub.url}/${repo}/discussions/${ref.split('/').at(-1)}` }
  }
  return undefined
}

function checkOptions(options: PublishOptions, commit: string, readBack: ReadBack): CheckOptions {
  const { hub, repo, mirror, emit, signal } = options
  return { ...networkOf(options), hub, repo, commit, readBack, mirror, emit, signal }
}

async function tag(options: PublishOptions, commit: string): Promise<void> {
  const { tag, hub, repo, emit, message = '' } = options
  if (tag === undefined) return
  const done = await makeTag(hub, repo, { tag, commit, message }, networkOf(options))
  emit({ event: 'note', text: done === 'made' ? `Tagged ${tag}` : `The tag ${tag} is there` })
}
