// SPDX-License-Identifier: Apache-2.0

import { eastAsianWidth } from 'get-east-asian-width'

/** Code points that take no column of their own: marks, invisible characters, and Hangul letters that join the one before. */
const NO_COLUMN = /[\p{M}\p{Cf}\p{Cc}\u1160-\u11ff\ud7b0-\ud7ff]/u
/** A narrow character that is shown as a picture, which is wide. */
const PICTURE = /[^\p{Emoji_Presentation}\p{M}]\ufe0f/gu

/** How wide a text is: two columns for a wide character (Unicode Standard Annex #11), none for a combining mark. */
export function columns(text: string): number {
  let sum = text.match(PICTURE)?.length ?? 0
  for (const character of text) {
    if (!NO_COLUMN.test(character)) sum += eastAsianWidth(character.codePointAt(0) ?? 0)
  }
  return sum
}
