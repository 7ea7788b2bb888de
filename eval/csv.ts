// SPDX-License-Identifier: Apache-2.0

import { stringify } from 'csv-stringify/sync'

/** What spreadsheets take as the beginning of a formula to run: also behind spaces, and in full width. */
export const FORMULA = /^[\s\u00a0\ufeff]*[=+\-@\uff0b\uff0d\uff1d\uff20]|^[\t\r\n]/
/** What looks like a formula and is a number. */
export const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/**
 * Rows as CSV with a header line (RFC 4180). A text that a spreadsheet would run gets an apostrophe in front; numbers stay numbers.
 * @see https://owasp.org/www-community/attacks/CSV_Injection
 */
export function csvText(rows: readonly Readonly<Record<string, string | number>>[]): string {
  return stringify([...rows], { header: true, cast: { string: harmless } })
}

/** A cell of CSV that no spreadsheet runs. */
export function harmless(cell: string): string {
  return FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell
}
