// SPDX-License-Identifier: Apache-2.0

/** Jobs that are read ahead for each that runs, so that those of a length can run together. */
const LOOKAHEAD = 4
/** Items that are held ahead at most, beyond one job: 64 MB of samples. */
const HELD = 16e6

/** Jobs that are read, then run, a few at a time. */
export interface JobQueue<Job> {
  add(job: Job): void
  /** settles when all jobs that were added have ended */
  idle(): Promise<void>
}

interface Steps<Job, Input extends { readonly length: number }> {
  read(job: Job): Promise<Input>
  run(job: Job, input: Input): Promise<void>
  failed(job: Job, error: unknown): void
}

/**
 * As many jobs at once as `size`. Where that is more than one, several times as many are read ahead and the longest
 * of them goes first, so that those of about one length run together. Else they run in their order, each read when
 * the one before has ended, so that reading is not part of its time.
 */
export function makeJobQueue<Job, Input extends { readonly length: number }>(
  size: number,
  { read, run, failed }: Steps<Job, Input>,
): JobQueue<Job> {
  const unread: Job[] = []
  const ready: { readonly job: Job; readonly input: Input; overtaken: number }[] = []
  const idlers: (() => void)[] = []
  let [reading, running] = [0, 0]

  const next = () => {
    while (running < size && ready.length > 0) void start(takeReady())
    while (unread.length > 0 && mayRead()) void readOne(unread.shift() as Job)
    if (unread.length + ready.length + reading + running > 0) return
    for (const wake of idlers.splice(0)) wake()
  }
  const mayRead = () => {
    if (size === 1) return reading + ready.length + running === 0
    const held = ready.reduce((sum, { input }) => sum + input.length, 0)
    return reading + ready.length < size * LOOKAHEAD && (held < HELD || ready.length + running === 0)
  }
  /** The longest, except one that many have gone before. */
  const takeReady = () => {
    const late = ready.findIndex(({ overtaken }) => overtaken >= size * LOOKAHEAD)
    const [taken] = ready.splice(Math.max(late, 0), 1) as [(typeof ready)[number]]
    for (const other of ready) other.overtaken++
    return taken
  }
  const readOne = async (job: Job) => {
    reading++
    try {
      const input = await read(job)
      const behind = ready.findIndex((other) => other.input.length < input.length)
      ready.splice(behind < 0 ? ready.length : behind, 0, { job, input, overtaken: 0 })
    } catch (error) {
      failed(job, error)
    }
    reading--
    next()
  }
  const start = async ({ job, input }: (typeof ready)[number]) => {
    running++
    await run(job, input).catch((error) => failed(job, error))
    running--
    next()
  }
  return {
    add(job) {
      unread.push(job)
      next()
    },
    idle: () =>
      new Promise((resolve) => {
        idlers.push(resolve)
        next()
      }),
  }
}

/** Jobs to have in a queue of `size` at once, for it to have a choice. */
export function usefulJobs(size: number): number {
  return size === 1 ? 1 : size * (LOOKAHEAD + 1)
}
