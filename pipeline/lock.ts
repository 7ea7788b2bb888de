import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from './failure.ts'

const POLL_MS = 500

interface Wait {
  readonly signal: AbortSignal
  readonly onWait: () => void
}

/**
 * Take `path` as a lock held by this process. A lock whose process is gone is taken over.
 * @param wait poll until it is free instead of failing
 * @returns a function that gives the lock back
 * @throws Failure when another process holds it
 */
export async function takeLock(path: string, what: string, wait?: Wait): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true })
  for (let waited = false; ; waited = true) {
    const holder = await tryTake(path)
    if (holder === undefined) return () => rm(path, { force: true })
    if (!wait) {
      throw new Failure(
        `Another run (process ${holder.split(' ')[0]}) is working on ${what}.`,
        'Wait for it to end, or choose another --output.',
      )
    }
    if (!waited) wait.onWait()
    await sleep(POLL_MS, undefined, { signal: wait.signal })
  }
}

/** @returns who holds the lock, or undefined when it is ours now */
async function tryTake(path: string): Promise<string | undefined> {
  const mine = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  await writeFile(mine, `${process.pid} ${await startTime(process.pid)}`)
  try {
    // link() makes the lock appear whole or not at all.
    await link(mine, path)
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  } finally {
    await rm(mine, { force: true })
  }
  const holder = await readFile(path, 'utf8').catch(() => '')
  if (holder === '' || (await isRunning(holder))) return holder || 'unknown'
  await removeStale(path, holder, `${mine}.stale`)
  return tryTake(path)
}

/** Move the lock away before deleting it: of two runs that see the same stale lock only one moves it. */
async function removeStale(path: string, holder: string, aside: string): Promise<void> {
  await rename(path, aside).catch(() => undefined)
  const moved = await readFile(aside, 'utf8').catch(() => holder)
  if (moved !== holder) await link(aside, path).catch(() => undefined) // it was somebody's fresh lock
  await rm(aside, { force: true })
}

/** A process number may have been given to another process since, so its start time counts too. */
async function isRunning(holder: string): Promise<boolean> {
  const [pid = '', started = ''] = holder.split(' ')
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return (await startTime(Number(pid))) === started
}

/** Field 22 of /proc/PID/stat (proc(5)); the same for all where there is no /proc. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
}
