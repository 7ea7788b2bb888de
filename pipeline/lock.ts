import { mkdir, open, readFile, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Failure } from './failure.ts'

const POLL_MS = 500

/**
 * Take `path` as a lock held by this process. A lock whose process is gone is taken over.
 * @param wait poll until it is free instead of failing
 * @returns a function that gives the lock back
 * @throws Failure when another process holds it
 */
export async function takeLock(
  path: string,
  what: string,
  wait?: { onWait: () => void },
): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true })
  for (let waited = false; ; waited = true) {
    const holder = await tryTake(path)
    if (holder === undefined) return () => rm(path, { force: true })
    if (!wait) {
      throw new Failure(
        `Another run (process ${holder}) is working on ${what}.`,
        'Wait for it to end, or choose another --output.',
      )
    }
    if (!waited) wait.onWait()
    await sleep(POLL_MS)
  }
}

/** @returns the process that holds the lock, or undefined when it is ours now */
async function tryTake(path: string): Promise<number | undefined> {
  try {
    const file = await open(path, 'wx')
    await file.write(String(process.pid))
    await file.close()
    return undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const holder = Number(await readFile(path, 'utf8').catch(() => ''))
  // An empty file is a lock that is just being written.
  if (holder > 0 && !isRunning(holder)) {
    await rm(path, { force: true })
    return tryTake(path)
  }
  return holder
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
