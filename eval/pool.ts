import { Worker } from 'node:worker_threads'
import { peakMemory, resetPeakMemory } from './memory.ts'
import type { Recognition, RecognizeOptions } from './recognize.ts'
import { SpeechError } from './speech-error.ts'

/** What a worker thread is started with. */
export interface WorkerSetup {
  readonly folder: string
  readonly variant: string
  readonly threads: number
  readonly options: Omit<RecognizeOptions, 'signal'>
}

export type WorkerJob = { readonly type: 'transcribe'; readonly path: string } | { readonly type: 'stop' }

interface WorkerProblem {
  readonly message: string
  readonly hint: string
  /** a SpeechError: wrong with the input, not with the program */
  readonly isSpeech: boolean
  readonly stack: string
}

export type WorkerReply =
  | { readonly type: 'loaded' }
  | ({ readonly type: 'unusable' } & WorkerProblem)
  | { readonly type: 'heard'; readonly heard: Heard }
  | ({ readonly type: 'failed' } & WorkerProblem)

export interface Heard {
  /** of audio */
  readonly seconds: number
  readonly recognition: Recognition
}

/** Worker threads, each with one variant's sessions; the calling thread stays free. */
export interface Pool {
  readonly size: number
  /** until all had loaded */
  readonly loadSeconds: number
  /** @throws SpeechError when the clip cannot be read */
  transcribe(path: string): Promise<Heard>
  /** of the process since the pool was started, in bytes */
  peakMemory(): number
  close(): Promise<void>
}

/** A worker thread is gone: no clip's fault, and the end of the evaluation. */
class WorkerEnded extends Error {
  readonly hint =
    'Memory may be short: try fewer --workers. Run the same command again: what has been measured is kept.'

  constructor(code: number) {
    super(`A worker thread ended (code ${code}).`)
  }
}

interface Seat {
  readonly worker: Worker
  ended?: WorkerEnded
  current: { readonly resolve: (heard: Heard) => void; readonly reject: (error: unknown) => void } | undefined
}

/**
 * Start `size` workers and load a variant in each.
 * @throws SpeechError when the release cannot be loaded
 */
export async function startPool(setup: WorkerSetup, size: number): Promise<Pool> {
  resetPeakMemory()
  const started = performance.now()
  const starting = Array.from({ length: size }, () => startSeat(setup))
  const settled = await Promise.allSettled(starting)
  const seats = settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  const close = async () => {
    await Promise.all(seats.map(stopSeat))
  }
  const failed = settled.find((result) => result.status === 'rejected')
  if (failed) {
    await close()
    throw failed.reason
  }
  const loadSeconds = (performance.now() - started) / 1000
  return { size, loadSeconds, transcribe: queueFor(seats), peakMemory, close }
}

function startSeat(workerData: WorkerSetup): Promise<Seat> {
  const worker = new Worker(new URL('./worker-start.js', import.meta.url), { workerData, execArgv: [] })
  const seat: Seat = { worker, current: undefined }
  return new Promise((resolve, reject) => {
    worker.on('message', (message: WorkerReply) => {
      if (message.type === 'loaded') resolve(seat)
      else if (message.type === 'unusable') reject(problemOf(message))
      else if (message.type === 'heard') seat.current?.resolve(message.heard)
      else seat.current?.reject(problemOf(message))
    })
    worker.on('error', reject) // its exit follows
    worker.on('exit', (code) => {
      const error = new WorkerEnded(code)
      seat.ended = error
      reject(error)
      seat.current?.reject(error)
    })
  })
}

/**
 * A worker ends itself between two runs of onnxruntime: one that is terminated inside of a run takes the process along.
 */
async function stopSeat({ worker, ended }: Seat): Promise<void> {
  if (ended) return
  const exit = new Promise((resolve) => worker.once('exit', resolve))
  worker.postMessage({ type: 'stop' } satisfies WorkerJob)
  await exit
}

/** Jobs wait for a free worker. */
function queueFor(seats: readonly Seat[]): Pool['transcribe'] {
  const free = [...seats]
  const waiting: ((seat: Seat) => void)[] = []
  return async (path) => {
    const seat = free.pop() ?? (await new Promise<Seat>((resolve) => waiting.push(resolve)))
    try {
      if (seat.ended) throw seat.ended
      return await new Promise<Heard>((resolve, reject) => {
        seat.current = { resolve, reject }
        seat.worker.postMessage({ type: 'transcribe', path } satisfies WorkerJob)
      })
    } finally {
      seat.current = undefined
      const next = waiting.shift()
      if (next) next(seat)
      else free.push(seat)
    }
  }
}

function problemOf({ message, hint, isSpeech, stack }: WorkerProblem): Error {
  if (isSpeech) return new SpeechError(message, hint)
  return Object.assign(new Error(message), { stack })
}
