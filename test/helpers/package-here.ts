// SPDX-License-Identifier: Apache-2.0

import { parsePackage } from '../../pipeline/commands/package-options.ts'
import { runPackage } from '../../pipeline/release/run-package.ts'
import type { Event } from '../../pipeline/shared/events.ts'
import { describeError } from '../../pipeline/shared/failure.ts'
import { tableLines } from '../../pipeline/shared/text-table.ts'

/** `npm run package` without a new process. */
export async function packageHere(args: readonly string[]): Promise<{ stdout: string; exitCode: number }> {
  const lines: string[] = []
  const emit = (event: Event) => {
    if (event.event === 'note') lines.push(event.text)
    if (event.event === 'table') lines.push(...tableLines(event.columns, event.rows))
    if (event.event === 'done') lines.push(event.release ?? '', ...(event.next ?? []).map(({ text }) => text))
  }
  try {
    const options = await parsePackage([...args, '--threads', '1'])
    if (!options) throw new Error('no options')
    const exitCode = await runPackage(options, emit, new AbortController().signal)
    return { stdout: lines.join('\n'), exitCode }
  } catch (error) {
    const { message, hint, exitCode } = describeError(error)
    return { stdout: [...lines, `error: ${message}`, `hint: ${hint}`].join('\n'), exitCode }
  }
}
