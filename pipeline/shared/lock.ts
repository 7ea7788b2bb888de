// SPDX-License-Identifier: Apache-2.0

import { constants, copyFile, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { guardPid } from '../../eval/runtime/children.ts'
import { NO_LINKS } from '../../graph-tools/alias.ts'
import { Failure } from './failure.ts'
import { processStat } from './process-stat.ts'

const POLL_MS = 500
/** The children of a run that was killed end within this time. */
const LEFTOVER_MS = 5000
const LEFTOVER_POLL_MS = 100

interface Wait {
  readonly signal: AbortSignal
  readonly onWait: () => void
}

/**
 * Take `path` as a lock held by this process. It stays taken until the children of this process have ended too, also when
 * it is killed. A lock whose processes are gone is taken over.
 * @param wait poll until it is free instead of failing
 * @returns a function that gives the lock back
 * @throws Failure when another process holds it
 */
export async function takeLock(path: string, what: string, wait?: Wait): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true })
  const started = performance.now()
  for (let waited = false; ; waited = true) {
    const holder = await tryTake(path)
    if (holder === undefined) return () => rm(path, { force: true })
    if (holder.isLeftover && performance.now() - started < LEFTOVER_MS) {
      await sleep(LEFTOVER_POLL_MS, undefined, wait && { signal: wait.signal })
      continue
    }
    if (!wait) {
      throw new Failure(
        `Another run (process ${holder.pid}) is working on ${what}.`,
        'Wait for it to end, or stop it.',
      )
    }
    if (!waited) wait.onWait()
    await sleep(POLL_MS, undefined, { signal: wait.signal })
  }
}

/** A process that keeps a lock taken. */
interface Holder {
  readonly pid: string
  /** it ends the children of a run that is gone */
  readonly isLeftover: boolean
}

/**
 * A lock names processes, one a line: who took it, and the one that ends its children.
 * @returns who holds the lock, or undefined when it is ours now
 */
async function tryTake(path: string): Promise<Holder | undefined> {
  const mine = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  const pids = [process.pid, guardPid()].filter((pid) => pid !== undefined)
  const lines = pids.map((pid) => `${pid} ${processStat(pid).start}`)
  await writeFile(mine, lines.join('\n'))
  try {
    await putLock(mine, path)
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(mine, { force: true })
  }
  const content = await readFile(path, 'utf8').catch(() => '')
  if (content === '') return { pid: 'unknown', isLeftover: false }
  for (const [i, line] of content.split('\n').entries()) {
    if (isRunning(line)) return { pid: line.split(' ')[0] ?? '', isLeftover: i > 0 }
  }
  await removeStale(path, content, `${mine}.stale`)
  return tryTake(path)
}

/** link() makes the lock appear whole or not at all. Where there are no hard links, it may be empty for a moment. */
async function putLock(mine: string, path: string): Promise<void> {
  try {
    await link(mine, path)
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    await copyFile(mine, path, constants.COPYFILE_EXCL)
  }
}

/** Move the lock away before deleting it: of two runs that see the same stale lock only one moves it. */
async function removeStale(path: string, holder: string, aside: string): Promise<void> {
  await rename(path, aside).catch(() => undefined)
  const moved = await readFile(aside, 'utf8').catch(() => holder)
  if (moved !== holder) await putLock(aside, path).catch(() => undefined) // it was somebody's fresh lock
  await rm(aside, { force: true })
}

/**
 * A process number may have been given to another process since, so its start time counts too. A process that has ended
 * but that its parent has not collected yet (a zombie, as below the first process of some containers) does not run.
 */
function isRunning(holder: string): boolean {
  const [pid = '', started = ''] = holder.split(' ')
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const { state, start } = processStat(Number(pid))
  return start === started && !['Z', 'X'].includes(state)
}
