// SPDX-License-Identifier: Apache-2.0

import type { Timing } from '../../eval/runtime/timing.ts'

/* What is passed between hear-clips.ts and its child process. */

/** A recording by its name in results. */
export interface NamedClip {
  readonly id: string
  readonly file: string
}

/** What is sent to the child of hear-clips.ts. */
export interface ClipsQuestion {
  readonly provider: string
  readonly folder: string
  readonly variants: readonly string[]
  readonly threads: number
  readonly clips: readonly NamedClip[]
  /** the processor writes its arrays, others read them */
  readonly reference: 'write' | 'read'
  /** tokens of the processor, by variant, clip and piece */
  readonly wanted: Readonly<Record<string, readonly (readonly (readonly number[])[])[]>>
  /** folder of the arrays */
  readonly scratch: string
}

/** What a variant on a provider made of one clip. */
export interface HeardClip {
  readonly text: string
  /** of each piece */
  readonly tokens: readonly (readonly number[])[]
  /** of audio */
  readonly seconds: number
  readonly steps: number
  readonly timing: Timing
  /** largest absolute differences from the processor, of logits as far as the tokens are the same; NaN with a problem */
  readonly difference?: { readonly features: number; readonly logits: number; readonly problem?: string }
}

/** What the child finds, one after the other. */
export type ClipPart =
  | { readonly variant: string; readonly index: number; readonly heard: HeardClip }
  | { readonly variant: string; readonly problem: string }
  /** bytes at the most; of the device where its tool reports it */
  | { readonly host: number; readonly device?: number }
