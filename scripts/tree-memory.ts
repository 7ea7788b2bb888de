// SPDX-License-Identifier: Apache-2.0

import { readdirSync, readFileSync } from 'node:fs'

/** Memory of a process and all its descendants, in KiB. */
export interface TreeMemory {
  /** proportional set size: pages they share count once, mapped file pages included */
  readonly total: number
  readonly anonymous: number
  readonly processes: number
}

const INTERVAL_MS = 100
/** The kernel walks the pages of a process to answer: a sample waits this many times as long as the last one took. */
const PAUSE = 10

/** Sample a process tree until stopped (Linux: /proc/PID/smaps_rollup, proc(5)). */
export function watchMemory(root: number): () => TreeMemory {
  let peak: TreeMemory = { total: 0, anonymous: 0, processes: 0 }
  const sample = () => {
    const started = performance.now()
    const now = treeMemory(root)
    if (now.total > peak.total) peak = now
    timer = setTimeout(sample, Math.max(INTERVAL_MS, PAUSE * (performance.now() - started)))
  }
  let timer = setTimeout(sample, INTERVAL_MS)
  return () => {
    clearTimeout(timer)
    return peak
  }
}

function treeMemory(root: number): TreeMemory {
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

/** A process may end while it is being looked at. */
function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
