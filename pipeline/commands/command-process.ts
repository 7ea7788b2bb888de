// SPDX-License-Identifier: Apache-2.0

import { interruption } from '../shared/interruption.ts'
import type { RunCommand } from './run-command.ts'

/* The one place that ends a process or says with which code it ends. */

/** Run a command as this process. */
export async function asProcess(run: RunCommand, args: readonly string[]): Promise<void> {
  process.exitCode = await run(args, {
    reader: readerOf(),
    interruption: (hint) => interruption(hint, (code) => process.exit(code)),
    onUncaught(handle) {
      process.on('uncaughtException', (error) => process.exit(handle(error)))
    },
  })
}

/** A reader that has gone (`| head -1`) is not an error: what is left of the output is dropped. */
function readerOf(): AbortSignal {
  const reader = new AbortController()
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error
      if (stream === process.stdout) reader.abort(error)
    })
  }
  return reader.signal
}
