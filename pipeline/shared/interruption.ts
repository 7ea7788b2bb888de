// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { endSoon, guardPid } from '../../eval/runtime/children.ts'
import { EXIT, type ExitCode, Failure } from './failure.ts'
import { processStat } from './process-stat.ts'

/** Two signals closer than this are one: wrappers pass on what has reached us too. */
const ONE_PRESS_MS = 50
/** The same for a key press in a terminal under npm, which gets the signal and passes it on when it finds time. */
const ONE_PRESS_UNDER_NPM_MS = 300
/** Time that the main thread has to end by itself after the second signal. */
const GRACE_MS = 500

/**
 * A signal that Ctrl-C aborts, so that work stops where it may and cleans up. A second one ends the process and its
 * children at once, also while the main thread computes or a file system does not answer.
 * @param hint what to do next
 * @param end of the process
 */
export function interruption(hint: string, end: (code: ExitCode) => void): AbortSignal {
  const controller = new AbortController()
  const handled = watchSignals(hint)
  let first = 0
  const stop = () => {
    const now = performance.now()
    if (first !== 0 && now - first > onePressMs()) {
      Atomics.store(handled, 0, 1)
      process.stderr.write(`\n${`Stopped at once. ${hint}`.trimEnd()}\n`)
      endSoon() // exit waits for reads that are under way, for ever where nothing comes
      end(EXIT.interrupted)
    }
    first ||= now
    controller.abort(new Failure('Stopped.', hint, EXIT.interrupted))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}

/** @returns where to note that the main thread has taken care of the second signal */
function watchSignals(hint: string): Int32Array {
  guardPid()
  const handled = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
  const worker = new Worker(new URL('./signal-watch.js', import.meta.url), {
    workerData: { onePressMs: onePressMs(), graceMs: GRACE_MS, hint, npm: npmAbove(), handled },
    execArgv: [], // without the loader of TypeScript
  })
  worker.on('error', () => {}) // without it the event loop receives signals
  worker.unref()
  return new Int32Array(handled)
}

function onePressMs(): number {
  const hasTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY)
  return isUnderNpm() && hasTerminal ? ONE_PRESS_UNDER_NPM_MS : ONE_PRESS_MS
}

/** Who started us under npm; noted at once, since npm may be gone before the watch begins. */
function npmAbove(): { parent: number; grandparent?: string } | undefined {
  if (!isUnderNpm()) return undefined
  const parent = process.ppid
  try {
    // Where our parent is the shell in which npm runs scripts, npm is the parent of that.
    const [, option] = readFileSync(`/proc/${parent}/cmdline`, 'utf8').split('\0')
    const { parent: grandparent } = processStat(parent)
    return { parent, ...(option === '-c' && { grandparent }) }
  } catch {
    return { parent } // shells of other systems than Linux become the program
  }
}

/** Started by one of the project's npm scripts, which only npm itself can stop. */
function isUnderNpm(): boolean {
  return (
    process.env['npm_package_name'] === 'qwen3-asr-onnx' && process.env['npm_lifecycle_event'] !== undefined
  )
}
