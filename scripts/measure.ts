// SPDX-License-Identifier: Apache-2.0

import { access } from 'node:fs/promises'
import { type CommandLine, usage } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import type { Output } from '../pipeline/commands/run-command.ts'
import { Failure } from '../pipeline/shared/failure.ts'
import { endOf, startCommand, wrapping } from './child-command.ts'
import { watchMemory } from './tree-memory.ts'

/*
 * Run a command and report the peak memory of its whole process tree (Linux):
 *   npm run measure -- npm run pipeline -- --model /tmp/random-0.6b --until quantize
 * Memory is the sum of the processes' proportional set sizes (PSS), so pages they share count once; page cache of
 * files they map counts, page cache of files they merely read does not. Sampled every 100 ms, more
 * seldom when a sample itself takes long: a tenth of the time at most.
 */

const LINE: CommandLine = {
  command: 'npm run measure --',
  usage: 'COMMAND [ARG ...]',
  about: 'Run a command and report the peak memory of its whole process tree, and its time (Linux).',
  examples: [['npm run pipeline -- --model tiny --until quantize', 'a pipeline run']],
  remark: 'It ends with the exit code of the command.',
}

const USAGE = `Usage: ${LINE.command} ${LINE.usage}`

await asProcess(wrapping(LINE, requireWords, measure), process.argv.slice(2))

async function measure([command = '', ...args]: readonly string[], output: Output): Promise<number> {
  await access('/proc/self/smaps_rollup').catch(() => {
    throw new Failure(
      'Memory is measured by /proc/PID/smaps_rollup, which this system does not have.',
      'Use Linux.',
    )
  })
  const started = performance.now()
  const child = startCommand([command, ...args])
  const memory = watchMemory(child.pid ?? 0)
  try {
    const exitCode = await endOf(child, command, USAGE)
    const peak = memory()
    const seconds = (performance.now() - started) / 1000
    const mib = (kib: number) => `${Math.round(kib / 1024)} MiB`
    const found = `${mib(peak.total)} PSS (${mib(peak.anonymous)} anonymous, ${peak.processes} processes)`
    output.report({ ...peak, seconds, exitCode }, () => [
      '',
      `peak of the process tree: ${found}, ${seconds.toFixed(1)} s`,
    ])
    return exitCode
  } finally {
    memory()
  }
}

function requireWords({ length }: readonly string[]): void {
  if (length === 0) throw usage('Found no command to measure.', USAGE)
}
