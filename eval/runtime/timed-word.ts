// SPDX-License-Identifier: Apache-2.0

/** A word as it is written, punctuation included, and when it is said: seconds from the start of the recording. */
export interface TimedWord {
  readonly text: string
  readonly start: number
  readonly end: number
}
