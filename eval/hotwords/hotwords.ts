import type { Utterance } from '../dataset/utterance.ts'

/** Words and phrases that a speaker may say, as a user gives them. */
export interface Hotwords {
  /** those that the utterance has */
  readonly rare: readonly string[]
  /** those that the recognizer is given: the same, and distractors */
  readonly list: readonly string[]
}

/** The hotwords of all utterances of a data set. */
export interface HotwordLists {
  /** identifies them by content */
  readonly id: string
  /** where they are, for messages */
  readonly source: string
  /** undefined for an utterance without a list */
  of(utterance: Pick<Utterance, 'id'>): Hotwords | undefined
}

/** A list as the model takes it in its system turn; '' for an empty list. */
export function contextOf({ list }: Hotwords): string {
  return list.join(', ')
}
