// SPDX-License-Identifier: Apache-2.0

import { printable, printableLines } from './printable.ts'
import { mapTexts, redact, withoutSecrets } from './redact.ts'
import { columnsOf, wrapLines } from './text-width.ts'

/* Where sentences, results and stacks are written to the terminal. */

/** Print lines, each a text that may hold anything; a terminal gets them wrapped at words. */
export function say(lines: readonly string[], to: NodeJS.WriteStream = process.stdout): void {
  const safe = lines.map((line) => printable(redact(line)))
  to.write(
    wrapLines(safe, columnsOf(to))
      .map((line) => `${line}\n`)
      .join(''),
  )
}

/** One JSON object on a line. JSON escapes control characters; data is left as it is, except secrets. */
export function sayJson(value: unknown, to: NodeJS.WriteStream = process.stdout): void {
  to.write(jsonLine(value, withoutSecrets))
}

/**
 * A value as JSON on one line; invisible characters that change a terminal are escaped.
 * @param clean of every text in it
 */
export function jsonLine(value: unknown, clean: (text: string) => string): string {
  const line = JSON.stringify(mapTexts(JSON.parse(JSON.stringify(value)), clean))
  return `${line.replace(/[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`
}

/** A failure as a person reads it. */
export function failureLines({
  message,
  hint,
}: {
  readonly message: string
  readonly hint: string
}): string[] {
  const [first = '', ...others] = printableLines(redact(message))
  return [`error: ${first}`, ...others, ...(hint ? [`hint: ${printable(redact(hint))}`] : [])]
}

/** For --debug. */
export function sayStack(error: unknown): void {
  if (error instanceof Error) say(printableLines(redact(error.stack ?? '')), process.stderr)
}
