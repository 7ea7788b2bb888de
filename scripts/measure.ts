import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access } from 'node:fs/promises'
import { constants } from 'node:os'
import { EXIT, Failure } from '../pipeline/failure.ts'
import { reportError, say } from '../pipeline/terminal.ts'
import { watchMemory } from './tree-memory.ts'

/*
 * Run a command and report the peak memory of its whole process tree (Linux):
 *   npm run measure -- npm run pipeline -- --model /tmp/random-0.6b --until quantize
 * Memory is the sum of the processes' proportional set sizes (PSS), so pages they share count once; page cache of
 * files they map counts, page cache of files they merely read does not. Sampled every 100 ms.
 */

const HELP = [
  'npm run measure -- COMMAND [ARG ...]',
  '',
  'Run a command and report the peak memory of its whole process tree, and its time (Linux).',
  'It ends with the exit code of the command.',
  '',
  'Example: npm run measure -- npm run pipeline -- --model tiny --until quantize',
]

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  if (args[0] === '--help') {
    say(HELP)
    return EXIT.done
  }
  try {
    return await measure(args)
  } catch (error) {
    return reportError(error, [])
  }
}

async function measure([command = '', ...args]: readonly string[]): Promise<number> {
  if (command === '') throw usage('Found no command to measure.')
  if (command.startsWith('-')) throw usage(`Unknown argument: ${command}`)
  await access('/proc/self/smaps_rollup').catch(() => {
    throw new Failure(
      'Memory is measured by /proc/PID/smaps_rollup, which this system does not have.',
      'Use Linux.',
    )
  })
  const started = performance.now()
  const child = spawn(command, args, { stdio: 'inherit' })
  const memory = watchMemory(child.pid ?? 0)
  try {
    const exitCode = await endOf(child, command)
    const peak = memory()
    const seconds = (performance.now() - started) / 1000
    const mib = (kib: number) => `${Math.round(kib / 1024)} MiB`
    process.stdout.write(
      `\npeak of the process tree: ${mib(peak.total)} PSS (${mib(peak.anonymous)} anonymous, ${peak.processes} processes), ${seconds.toFixed(1)} s\n`,
    )
    return exitCode
  } finally {
    memory()
  }
}

async function endOf(child: ChildProcess, command: string): Promise<number> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return code ?? 128 + (signal ? constants.signals[signal] : 0)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw usage(
      code === 'ENOENT'
        ? `There is no program ${JSON.stringify(command)} on PATH.`
        : `${JSON.stringify(command)} cannot be started (${code}).`,
    )
  }
}

function usage(message: string): Failure {
  return new Failure(message, 'Usage: npm run measure -- COMMAND [ARG ...]', EXIT.usage)
}
