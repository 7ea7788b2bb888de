// SPDX-License-Identifier: Apache-2.0

/**
 * A text in the form in which it is compared: composed (NFC), and without characters that have no width and no sound.
 * These are soft hyphens, zero-width spaces and joiners, marks of direction, variation selectors
 * (Default_Ignorable_Code_Point, https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point).
 */
export function comparableText(text: string): string {
  return text.normalize('NFC').replace(/\p{Default_Ignorable_Code_Point}+/gu, '')
}

/** What most texts have, at a glance: a character of ASCII that is seen. */
const PLAIN = /[!-~]/

/** No word: null, nothing, or only white space and characters without width. */
export function isBlank(text: string | null | undefined): boolean {
  if (text !== null && text !== undefined && PLAIN.test(text)) return false
  return text === null || text === undefined || comparableText(text).trim() === ''
}
