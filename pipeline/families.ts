// SPDX-License-Identifier: Apache-2.0

import { EMBEDDINGS, type Family } from '../eval/runtime/graphs.ts'

/** What the pipeline does differently for a kind of model; its graphs are in eval/runtime/graphs.ts. */
interface FamilyRow {
  /** for messages: "a forced aligner" */
  readonly what: string
  /** files beside its graphs that the export leaves as the release has them */
  readonly exported: readonly string[]
  /** whether times of words are read from its attention */
  readonly hasAlignment: boolean
}

/** The row of each kind of model. */
export const FAMILY_ROWS: Readonly<Record<Family, FamilyRow>> = {
  asr: { what: 'a speech recognition model', exported: [], hasAlignment: true },
  aligner: {
    what: 'a forced aligner',
    exported: [EMBEDDINGS], // no graph looks it up
    hasAlignment: false,
  },
}
