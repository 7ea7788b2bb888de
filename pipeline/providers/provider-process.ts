// SPDX-License-Identifier: Apache-2.0

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endWithUs } from '../../eval/runtime/children.ts'
import '../../eval/runtime/no-telemetry.ts' // inherited by the child

/** What a child says on its way: what it begins, and each thing that it has found. */
export type Said<Part> =
  | { readonly begin: string }
  | { readonly part: Part }
  | { readonly problem: string }
  | { readonly end: true }

/** What is left of a process that has ended: what it sent up to then, and why it ended early. */
export interface Ended<Part> {
  readonly parts: readonly Part[]
  /** why it did not come to its end: what it said, how it died, or that it was silent for too long */
  readonly problem?: string
  /** the last of what the child and its libraries printed */
  readonly log: string
}

/** How a process is watched. */
export interface ProcessOptions<Part> {
  /** seconds without a word after which it is ended: a driver may hang */
  readonly silence: number
  readonly signal: AbortSignal
  readonly onPart?: (part: Part) => void
}

/** Characters of a log that are kept. */
const LOG_LIMIT = 1 << 20

/**
 * Run a module in a separate process, since what a provider does may end or stop the process that it runs in.
 * @param module from the folder of worker-start.js
 * @param question sent to it; it answers by {@link Said}
 * @throws the signal's reason when it is aborted
 */
export async function runProvider<Part>(
  module: string,
  question: object,
  { silence, signal, onPart }: ProcessOptions<Part>,
): Promise<Ended<Part>> {
  signal.throwIfAborted()
  const starter = fileURLToPath(new URL('../../eval/runtime/worker-start.js', import.meta.url))
  const child = fork(starter, [module], { execArgv: [], stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  endWithUs(child)
  const parts: Part[] = []
  let log = ''
  let doing = 'it started'
  const keep = (text: string) => {
    log = (log + text).slice(-LOG_LIMIT)
  }
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', keep)
  const problem = await new Promise<string | undefined>((resolve) => {
    const tooLong = () => resolve(`no answer for ${silence} s while ${doing}`)
    let timer = setTimeout(tooLong, 1000 * silence)
    const done = (why: string | undefined) => {
      clearTimeout(timer)
      resolve(why)
    }
    child.on('message', (said: Said<Part>) => {
      clearTimeout(timer)
      timer = setTimeout(tooLong, 1000 * silence)
      if ('begin' in said) doing = said.begin
      else if ('problem' in said) done(said.problem)
      else if ('end' in said) done(undefined)
      else {
        parts.push(said.part)
        onPart?.(said.part)
      }
    })
    // all that it wrote is read when its pipes are closed
    child.on('close', (code, by) => done(`the process ended (${by ?? `exit code ${code}`}) while ${doing}`))
    child.on('error', (error) => done(`the process did not start: ${error.message}`))
    signal.addEventListener('abort', () => done('stopped'), { once: true })
    child.send(question, (error) => error && done(`the process took no question: ${error.message}`))
  })
  child.kill('SIGKILL')
  signal.throwIfAborted()
  return { parts, log, ...(problem !== undefined && { problem }) }
}

/**
 * The child's side: answer one question.
 * @param work shows what it begins and finds
 */
export function answerQuestion<Question, Part>(
  work: (question: Question, tell: (said: Said<Part>) => void) => Promise<void>,
): void {
  const tell = (said: Said<Part>) => void process.send?.(said)
  process.on('message', async (question: Question) => {
    try {
      await work(question, tell)
      tell({ end: true })
    } catch (error) {
      tell({ problem: (error as Error).message })
    }
  })
  process.on('disconnect', () => process.kill(process.pid))
}
