// SPDX-License-Identifier: Apache-2.0

import type { Utterance } from '../dataset/utterance.ts'

/* Lists of words that a speaker may say, and that a model is given as context. */

/** Words and phrases that a speaker may say, as a user gives them. */
export interface Hotwords {
  /** those that the utterance has */
  readonly rare: readonly string[]
  /** those that the recognizer is given: the same, and distractors */
  readonly list: readonly string[]
}

/** A line of a file of lists. */
export interface ListedRow extends Hotwords {
  /** what the utterance says, as the file has it */
  readonly text: string
  readonly line: number
}

/** The hotwords of all utterances of a data set. */
export interface HotwordLists {
  /** identifies them by content */
  readonly id: string
  /** where they are, for messages */
  readonly source: string
  /** of a file: its lines by the ids of their utterances */
  readonly rows?: ReadonlyMap<string, ListedRow>
  /** undefined for an utterance without a list */
  of(utterance: Pick<Utterance, 'id' | 'text' | 'hotwords'>): Hotwords | undefined
}

/** A list as the model takes it in its system turn; '' for an empty list. */
export function contextOf({ list }: Hotwords): string {
  return list.join(', ')
}
