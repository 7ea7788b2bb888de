// SPDX-License-Identifier: Apache-2.0

/** Tokens of a language's name at most: "Cantonese", the longest in tokens, has four with those around it. */
const LONGEST = 8

/** What the first tokens of a transcript may be: those that name the language are nearly always those of the one before. */
export interface PrefixDraft {
  /** none before the first transcript */
  readonly tokens: readonly number[]
  /** @param tokens of a transcript that begins with its language; others change nothing */
  learn(tokens: readonly number[]): void
}

/**
 * A draft that learns from one transcript to the next, and is empty at first.
 * @param asrText the token that the language's name ends with
 */
export function makePrefixDraft(asrText: number): PrefixDraft {
  let known: readonly number[] = []
  return {
    get tokens() {
      return known
    },
    learn(tokens) {
      const length = tokens.indexOf(asrText) + 1
      if (length > 0 && length <= LONGEST) known = tokens.slice(0, length)
    },
  }
}
