// SPDX-License-Identifier: Apache-2.0

import { defined } from '../../eval/runtime/defined.ts'
import { section, text } from '../../eval/runtime/schema.ts'
import type { Manifest } from '../release/manifest-schema.ts'
import type { Software } from '../shared/own-version.ts'
import type { RemoteCheck } from './check-remote.ts'
import { type Action, type Plan, stepsOf } from './plan.ts'
import type { PublishChoices } from './publish-choices.ts'
import type { Uploaded } from './upload.ts'

/** What a later run needs of a receipt. */
export const PUBLISHED = section({
  repo: text,
  endpoint: text,
  verified: section({ commit: text, readBack: text }),
})

/** What was published where, by what, and how it was checked. */
export interface Receipt {
  /** that published it */
  readonly software: Software
  /** as its manifest names it, with the software that made it */
  readonly release: Pick<Manifest, 'name' | 'software'>
  readonly repo: string
  readonly endpoint: string
  readonly branch: string
  readonly commit: string
  readonly parent?: string
  readonly pullRequest?: string
  readonly tag?: string
  readonly finished: string
  /** of uploading and committing */
  readonly seconds: number
  readonly transport: 'lfs' | 'xet'
  /** runs of the commit, and requests that were sent again */
  readonly attempts: number
  readonly retries: number
  readonly verified: RemoteCheck
  readonly files: readonly {
    readonly path: string
    readonly action: Action
    readonly size: number
    readonly sha256?: string
  }[]
}

/** What a receipt is made of. */
export interface ReceiptInput extends Pick<PublishChoices, 'repo' | 'branch' | 'tag' | 'useXet'>, Uploaded {
  readonly software: Software
  readonly manifest: Manifest
  readonly hub: { readonly url: string }
  readonly retries: number
  readonly seconds: number
  readonly plan: Plan
  readonly check: RemoteCheck
}

/** The receipt of a finished publication, dated now; seconds with three decimals. */
export function receiptOf(input: ReceiptInput): Receipt {
  const { hub, repo, branch, commit, pullRequest, tag, attempts, retries, seconds, plan, check } = input
  const steps = stepsOf(plan, 'add', 'update', 'unchanged', 'delete')
  const { name, software } = input.manifest
  return {
    ...{ software: input.software, release: defined({ name, software }) },
    ...defined({ repo, endpoint: hub.url, branch, commit, parent: plan.parent, pullRequest, tag }),
    finished: new Date().toISOString(),
    seconds: Math.round(1000 * seconds) / 1000,
    transport: input.useXet ? 'xet' : 'lfs',
    ...{ attempts, retries, verified: check },
    files: steps.map(({ path, action, size, file }) => defined({ path, action, size, sha256: file?.sha256 })),
  }
}
