// SPDX-License-Identifier: Apache-2.0

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { endWithUs } from './children.ts'
import './no-telemetry.ts' // inherited by the child

/** How much onnxruntime does to a graph when it opens it: `disabled` reads it alone, which takes least time and memory. */
export type LoadLevel = 'disabled' | 'basic'

/**
 * Whether onnxruntime-node opens graphs with their data files, one after the other in a separate process. A fault in
 * native code ends that process alone, and is the answer for that graph.
 * @param paths absolute
 * @returns for each graph undefined, or why it is not opened
 * @throws the signal's reason when it is aborted
 */
export async function loadProblems(
  paths: readonly string[],
  level: LoadLevel,
  signal?: AbortSignal,
): Promise<(string | undefined)[]> {
  const problems: (string | undefined)[] = []
  let child: ChildProcess | undefined
  const stop = () => child?.kill('SIGKILL')
  signal?.addEventListener('abort', stop)
  try {
    for (const path of paths) {
      signal?.throwIfAborted()
      child = child?.connected ? child : startChild()
      problems.push(await ask(child, { path, level }))
    }
    signal?.throwIfAborted()
  } finally {
    signal?.removeEventListener('abort', stop)
    child?.kill('SIGKILL')
  }
  return problems
}

/** What is sent to the child, and what it replies: see load-check-child.ts. */
export interface LoadQuestion {
  readonly path: string
  readonly level: LoadLevel
}

/** What the child found: why the graph cannot be opened; nothing where it can. */
export interface LoadAnswer {
  readonly problem?: string
}

function startChild(): ChildProcess {
  const starter = fileURLToPath(new URL('./worker-start.js', import.meta.url))
  // The library prints on its own account what the answer says.
  const child = fork(starter, ['./load-check-child.ts'], {
    execArgv: [],
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  })
  endWithUs(child)
  child.on('error', () => undefined) // of a channel that breaks: the exit is the answer
  return child
}

function ask(child: ChildProcess, question: LoadQuestion): Promise<string | undefined> {
  return new Promise((resolve) => {
    const done = (problem: string | undefined) => {
      child.off('message', onMessage).off('exit', onExit).off('error', onError)
      resolve(problem)
    }
    const onMessage = ({ problem }: LoadAnswer) => done(problem)
    const onExit = (code: number | null, by: string | null) =>
      done(`it ended the process that opened it (${by ?? `exit code ${code}`}).`)
    const onError = (error: Error) => done(`the process that was to open it did not start: ${error.message}`)
    child.on('message', onMessage).on('exit', onExit).on('error', onError)
    child.send(question, (error) => error && onError(error))
  })
}
