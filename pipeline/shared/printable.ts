// SPDX-License-Identifier: Apache-2.0

/*
 * Text of others on a terminal: file names, names in graphs and datasets, transcripts, answers of servers. Control characters and escape
 * sequences steer a terminal (ECMA-48), bidirectional controls show text in another order than it has (Unicode Standard Annex 9),
 * and characters without a glyph make two names look alike.
 */

/** Controls, formats, halves of pairs, line separators, and all without a glyph but what changes the look of the letter before it. */
const UNSAFE =
  /(?!\p{Variation_Selector}|[\u034f\u17b4\u17b5])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu
/** Hebrew and Arabic set marks so that punctuation stands on the right side. They move no letters (Annex 9, section 2.6). */
const MARKS = /[\u200e\u200f\u061c]/
/** Persian, Indic scripts and emoji are spelled with these (Unicode Standard, section 23.2). */
const JOINERS = /[\u200c\u200d]/
const LETTER = /^[\p{L}\p{M}]$/u
const NEEDS_NONE =
  /^[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]$/u
const EMOJI = /^(?:\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)$/u

/** A name or a message as one line: what would steer a terminal or cannot be seen is shown as its code point, `\u{1b}`. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character, at: number) =>
    JOINERS.test(character) && joins(text, at) ? character : escaped(character),
  )
}

/** A message of several lines. Those behind the first are indented, so that none of them can pass for a line of ours. */
export function printableLines(text: string): string[] {
  const [first = '', ...others] = text.split(/\r?\n/)
  const shown = (line: string) => printable(line.replaceAll('\t', '  '))
  return [shown(first), ...others.map((line) => `  ${shown(line)}`)]
}

/**
 * A transcript, or a part of one, as people read it. Breaks are spaces, joiners and marks stay, and places to break a
 * line are left out. Everything else that {@link printable} shows is shown the same way.
 */
export function printableSpeech(text: string): string {
  return text
    .replace(/\r\n|[\t\n\v\f\r\u0085\u2028\u2029]/g, ' ')
    .replace(/[\u00ad\u200b\u2060\ufeff]/g, '')
    .replace(UNSAFE, (character) =>
      JOINERS.test(character) || MARKS.test(character) ? character : escaped(character),
    )
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`
}

/** Whether a joiner stands between letters of a script that has it, or between emoji. */
function joins(text: string, at: number): boolean {
  const before = [...text.slice(Math.max(0, at - 2), at)].at(-1) ?? ''
  const after = String.fromCodePoint(text.codePointAt(at + 1) ?? 0)
  const needs = (side: string) => (LETTER.test(side) && !NEEDS_NONE.test(side)) || EMOJI.test(side)
  return needs(before) && needs(after)
}
