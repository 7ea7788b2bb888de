// SPDX-License-Identifier: Apache-2.0

import type { WantedFile } from './release-manifest.ts'

/* What the page and its worker that fetches and checks files say to each other. */

/** What the page sends: one job, and a stop at any time. */
export type FetchJob =
  /** into the browser's storage */
  | { readonly type: 'fetch'; readonly base: string; readonly files: readonly WantedFile[] }
  /** files of a local folder */
  | { readonly type: 'check'; readonly files: readonly { readonly file: WantedFile; readonly blob: Blob }[] }
  | { readonly type: 'stop' }

/** What the worker sends: progress, then one end. */
export type FetchReply =
  | ({ readonly type: 'progress' } & FetchProgress)
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly message: string; readonly hint: string }

/** How far a job is, in bytes. */
export interface FetchProgress {
  /** bytes that are there and right so far */
  readonly done: number
  readonly total: number
  /** bytes of `done` that came through the network now */
  readonly fetched: number
  /** what continues besides: a connection that is tried again */
  readonly note: string
}
