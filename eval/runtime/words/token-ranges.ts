// SPDX-License-Identifier: Apache-2.0

import type { Tokenizer } from '../tokenizer.ts'
import type { Range } from './word-ranges.ts'

/** The text of tokens, and which part of it each token is. */
export interface TokenText {
  readonly text: string
  /** by token; tokens that are one character together have its place, all of them */
  readonly ranges: readonly Range[]
}

const REPLACEMENT = '\uFFFD'
/** A character has four bytes at most, and a token one at least. */
const LONGEST = 4

/** Decode tokens one by one: a character may be of several, and its bytes are not text until all are there. */
export function tokenRanges(tokenizer: Pick<Tokenizer, 'decode'>, tokens: readonly number[]): TokenText {
  const ranges: Range[] = []
  let text = ''
  for (let first = 0, end = 1; first < tokens.length; first = end, end++) {
    let part = tokenizer.decode(tokens.slice(first, end))
    while (part.endsWith(REPLACEMENT) && end < tokens.length && end - first < LONGEST)
      part = tokenizer.decode(tokens.slice(first, ++end))
    const range = { start: text.length, end: text.length + part.length }
    for (let i = first; i < end; i++) ranges.push(range)
    text += part
  }
  return { text, ranges }
}
