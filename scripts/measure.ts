import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'

/*
 * Run a command and report the peak memory of its whole process tree (Linux):
 *   npm run measure -- npm run pipeline -- --model /tmp/random-0.6b --until quantize
 * Memory is the sum of the processes' proportional set sizes (PSS), so pages they share count once; page cache of
 * files they map counts, page cache of files they merely read does not. Sampled every 100 ms.
 */

const INTERVAL_MS = 100

const [command, ...args] = process.argv.slice(2)
if (command === undefined) {
  process.stderr.write('Usage: npm run measure -- COMMAND [ARG ...]\n')
  process.exit(2)
}

const started = performance.now()
const child = spawn(command, args, { stdio: 'inherit' })
let peak = { total: 0, anonymous: 0, processes: 0 }
const timer = setInterval(() => {
  const now = treeMemory(child.pid ?? 0)
  if (now.total > peak.total) peak = now
}, INTERVAL_MS)

child.on('exit', (code, signal) => {
  clearInterval(timer)
  const seconds = (performance.now() - started) / 1000
  const mib = (kib: number) => `${Math.round(kib / 1024)} MiB`
  process.stdout.write(
    `\npeak of the process tree: ${mib(peak.total)} PSS (${mib(peak.anonymous)} anonymous, ${peak.processes} processes), ${seconds.toFixed(1)} s\n`,
  )
  process.exitCode = code ?? 128 + (signal ? constants.signals[signal] : 0)
})

function treeMemory(root: number): typeof peak {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = readOr(`/proc/${name}/stat`)
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  const sum = { total: 0, anonymous: 0, processes: 0 }
  for (const pid of parents.keys()) {
    if (!descends(pid, root, parents)) continue
    const rollup = readOr(`/proc/${pid}/smaps_rollup`)
    sum.total += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0)
    sum.anonymous += Number(/^Pss_Anon:\s+(\d+)/m.exec(rollup)?.[1] ?? 0)
    sum.processes++
  }
  return sum
}

function descends(pid: number, root: number, parents: ReadonlyMap<number, number>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at))
    if (at === root) return true
  return false
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // the process has ended
  }
}
