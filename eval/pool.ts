// SPDX-License-Identifier: Apache-2.0

import { peakMemory, resetPeakMemory } from './memory.ts'

/* Several workers that share the utterances of one system. */

/** Worker threads, each with one variant's sessions; the calling thread stays free. */
export interface Pool<Worker> {
  /** jobs to give at once */
  readonly size: number
  /** until all had loaded */
  readonly loadSeconds: number
  /** Let the worker with the fewest jobs do one, when there is a place. @throws what the job throws */
  run<Result>(job: (worker: Worker) => Promise<Result>): Promise<Result>
  /** of the process since the pool was started, in bytes */
  peakMemory(): number
  close(): Promise<void>
}

interface PoolOptions<Worker> {
  readonly count: number
  /** jobs that a worker may have at once */
  readonly places: number
  start(): Promise<Worker>
  end(worker: Worker): Promise<void>
}

interface Seat<Worker> {
  readonly worker: Worker
  jobs: number
}

/**
 * Start `count` workers and load a variant in each.
 * @throws SpeechError when the release cannot be loaded
 */
export async function startPool<Worker>({
  count,
  places,
  start,
  end,
}: PoolOptions<Worker>): Promise<Pool<Worker>> {
  resetPeakMemory()
  const started = performance.now()
  const settled = await Promise.allSettled(Array.from({ length: count }, start))
  const seats = settled.flatMap((result): Seat<Worker>[] =>
    result.status === 'fulfilled' ? [{ worker: result.value, jobs: 0 }] : [],
  )
  const close = async () => {
    await Promise.all(seats.map(({ worker }) => end(worker)))
  }
  const failed = settled.find((result) => result.status === 'rejected')
  if (failed) {
    await close()
    throw failed.reason
  }
  const loadSeconds = (performance.now() - started) / 1000
  return { size: count * places, loadSeconds, run: queueFor(seats, places), peakMemory, close }
}

/** Jobs go to the worker with the fewest, and wait while all have as many as they may. */
function queueFor<Worker>(seats: readonly Seat<Worker>[], places: number): Pool<Worker>['run'] {
  const waiting: (() => void)[] = []
  const freest = () => seats.reduce((a, b) => (b.jobs < a.jobs ? b : a))
  return async (job) => {
    while (freest().jobs >= places) await new Promise<void>((resolve) => waiting.push(resolve))
    const seat = freest()
    seat.jobs++
    try {
      return await job(seat.worker)
    } finally {
      seat.jobs--
      waiting.shift()?.()
    }
  }
}
