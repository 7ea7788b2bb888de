// SPDX-License-Identifier: Apache-2.0

import type { ReadBack } from './check-remote.ts'

/** What the user chooses. */
export interface PublishChoices {
  readonly repo: string
  readonly branch: string
  readonly isPrivate: boolean
  readonly createPr: boolean
  readonly message?: string
  readonly tag?: string
  readonly mirror: boolean
  readonly archives: boolean
  readonly useXet: boolean
  readonly allowUngated: boolean
  readonly dryRun: boolean
  /** undefined: a sample of what was sent, or of all when nobody has looked at the commit yet */
  readonly readBack?: ReadBack
}
