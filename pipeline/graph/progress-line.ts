// SPDX-License-Identifier: Apache-2.0

import { formatBytes } from '../shared/output-files.ts'
import { printable } from '../shared/printable.ts'

const PROGRESS_MS = 500

/** Before anything else is said on stderr. */
export function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K')
}

/** On a terminal, one line that is written over; nothing in a log. */
export function progressLine(): (what: string, done: number, total: number) => void {
  let last = 0
  return (what, done, total) => {
    const now = performance.now()
    if (!process.stderr.isTTY || (now - last < PROGRESS_MS && done < total)) return
    last = now
    process.stderr.write(
      `\r\u001b[K${done < total ? `${printable(what)} ${formatBytes(done)} of ${formatBytes(total)}` : ''}`,
    )
  }
}
