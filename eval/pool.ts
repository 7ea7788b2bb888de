import { peakMemory, resetPeakMemory } from './memory.ts'
import { usefulJobs } from './runtime/job-queue.ts'
import type { RecognizeOptions } from './runtime/recognize.ts'
import { type Heard, startWorker, type WorkerClient, type WorkerSetup } from './runtime/worker-client.ts'

/** Worker threads, each with one variant's sessions; the calling thread stays free. */
export interface Pool {
  /** utterances to give at once */
  readonly size: number
  /** until all had loaded */
  readonly loadSeconds: number
  /** @throws SpeechError when the clip cannot be read; the signal's reason when it aborts */
  transcribe(path: string, signal: AbortSignal, options?: RecognizeOptions): Promise<Heard>
  /** of the process since the pool was started, in bytes */
  peakMemory(): number
  close(): Promise<void>
}

interface Seat {
  readonly worker: WorkerClient
  jobs: number
}

/**
 * Start `count` workers and load a variant in each.
 * @throws SpeechError when the release cannot be loaded
 */
export async function startPool(setup: WorkerSetup, count: number): Promise<Pool> {
  resetPeakMemory()
  const started = performance.now()
  const starting = Array.from({ length: count }, () => startWorker(setup))
  const settled = await Promise.allSettled(starting)
  const seats = settled.flatMap((result): Seat[] =>
    result.status === 'fulfilled' ? [{ worker: result.value, jobs: 0 }] : [],
  )
  const close = async () => {
    await Promise.all(seats.map(({ worker }) => worker.close()))
  }
  const failed = settled.find((result) => result.status === 'rejected')
  if (failed) {
    await close()
    throw failed.reason
  }
  const loadSeconds = (performance.now() - started) / 1000
  const places = usefulJobs(setup.batch)
  return { size: count * places, loadSeconds, transcribe: queueFor(seats, places), peakMemory, close }
}

/** Jobs go to the worker with the fewest, and wait while all have as many as they may. */
function queueFor(seats: readonly Seat[], places: number): Pool['transcribe'] {
  const waiting: (() => void)[] = []
  const freest = () => seats.reduce((a, b) => (b.jobs < a.jobs ? b : a))
  return async (path, signal, options = {}) => {
    while (freest().jobs >= places) await new Promise<void>((resolve) => waiting.push(resolve))
    const seat = freest()
    seat.jobs++
    try {
      return await seat.worker.transcribe({ path }, { signal, options })
    } finally {
      seat.jobs--
      waiting.shift()?.()
    }
  }
}
