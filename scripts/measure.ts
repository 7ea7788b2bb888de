import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { watchMemory } from './tree-memory.ts'

/*
 * Run a command and report the peak memory of its whole process tree (Linux):
 *   npm run measure -- npm run pipeline -- --model /tmp/random-0.6b --until quantize
 * Memory is the sum of the processes' proportional set sizes (PSS), so pages they share count once; page cache of
 * files they map counts, page cache of files they merely read does not. Sampled every 100 ms.
 */

const [command, ...args] = process.argv.slice(2)
if (command === undefined) {
  process.stderr.write('Usage: npm run measure -- COMMAND [ARG ...]\n')
  process.exit(2)
}

const started = performance.now()
const child = spawn(command, args, { stdio: 'inherit' })
const memory = watchMemory(child.pid ?? 0)

child.on('exit', (code, signal) => {
  const peak = memory()
  const seconds = (performance.now() - started) / 1000
  const mib = (kib: number) => `${Math.round(kib / 1024)} MiB`
  process.stdout.write(
    `\npeak of the process tree: ${mib(peak.total)} PSS (${mib(peak.anonymous)} anonymous, ${peak.processes} processes), ${seconds.toFixed(1)} s\n`,
  )
  process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0)
})
