// SPDX-License-Identifier: Apache-2.0

/*
 * Pieces of Python's `re` and `str` that differ in JavaScript: in Python `\w`, `\b` and `\s` cover all of Unicode.
 * https://docs.python.org/3.11/library/re.html
 */

const WORD = '[\\p{L}\\p{N}_]'
const SPACE = '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]'

/** A regular expression in which `\b` and `\s` mean what they mean in Python; flags `gu`. */
export function pythonPattern(source: string): RegExp {
  const boundary = `(?:(?<!${WORD})(?=${WORD})|(?<=${WORD})(?!${WORD}))`
  return new RegExp(source.replaceAll('\\b', boundary).replaceAll('\\s', SPACE), 'gu')
}

const SPACES = pythonPattern('\\s+')

/** `str.split()`: the words between white space. */
export function splitWords(text: string): string[] {
  return text.split(SPACES).filter((word) => word !== '')
}

/** `re.sub(r'\s+', ' ', text)` */
export function joinSpaces(text: string): string {
  return text.replace(SPACES, ' ')
}
