// SPDX-License-Identifier: Apache-2.0

import type { RemoteFile } from '../hub/repository.ts'
import type { HubFile } from './hub-files.ts'

/* Which files a commit adds, changes and deletes. */

/** What happens to a file of the repository; `keep` is for one that the release does not have. */
export type Action = 'add' | 'update' | 'unchanged' | 'delete' | 'keep'

/** What becomes of one path. */
export interface Step {
  readonly path: string
  readonly action: Action
  /** of the new content; of the old one where it is deleted or kept */
  readonly size: number
  readonly file?: HubFile
}

/** What a commit changes. */
export interface Plan {
  /** the commit it was made for; undefined when there is no repository or branch yet */
  readonly parent?: string
  readonly steps: readonly Step[]
}

/** The hub keeps it by itself, as the list of what goes to large file storage. */
const HUBS_OWN = '.gitattributes'

/** What decides about files that the release does not have. */
export interface PlanOptions {
  /** delete what the release does not have; else it stays */
  readonly mirror: boolean
  readonly parent?: string | undefined
  /** files of the release that is there, which go with it: readers look for graphs by name */
  readonly earlier?: readonly string[]
}

/** Compare a release with a repository, by content. */
export async function makePlan(
  files: readonly HubFile[],
  remote: ReadonlyMap<string, RemoteFile>,
  { mirror, parent, earlier = [] }: PlanOptions,
): Promise<Plan> {
  const steps: Step[] = []
  for (const file of files) {
    const there = remote.get(file.path)
    const action = there === undefined ? 'add' : (await isSame(file, there)) ? 'unchanged' : 'update'
    steps.push({ path: file.path, action, size: file.size, file })
  }
  const ours = new Set(files.map(({ path }) => path))
  for (const { path, size } of remote.values()) {
    if (ours.has(path)) continue
    const goes = (mirror || earlier.includes(path)) && path !== HUBS_OWN
    steps.push({ path, action: goes ? 'delete' : 'keep', size })
  }
  return { steps, ...(parent !== undefined && { parent }) }
}

/** The steps of a plan with one of these actions. */
export function stepsOf({ steps }: Plan, ...actions: readonly Action[]): Step[] {
  return steps.filter(({ action }) => actions.includes(action))
}

/** Sum of the sizes of steps, in bytes. */
export function bytesOf(steps: readonly Step[]): number {
  return steps.reduce((sum, { size }) => sum + size, 0)
}

/** Whether the repository is as the plan requires. */
export function isDone(plan: Plan): boolean {
  return stepsOf(plan, 'add', 'update', 'delete').length === 0
}

/** Whether a file of the repository has this content. */
export async function isSame(file: HubFile, remote: RemoteFile): Promise<boolean> {
  if (remote.size !== file.size) return false
  return remote.sha256 === undefined ? remote.oid === (await file.gitOid()) : remote.sha256 === file.sha256
}
