// SPDX-License-Identifier: Apache-2.0

/*
 * A worker thread that sees signals while the main thread computes: Node hands signals to the event loop of the main
 * thread, which a call into onnxruntime blocks for seconds. It ends the process where the main thread cannot.
 */
import { readFileSync, writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'

const { onePressMs, graceMs, hint, npm, handled } = workerData
const isHandled = new Int32Array(handled)
const PARENT_POLL_MS = 250

let first = 0

function onSignal() {
  const now = performance.now()
  if (first !== 0 && now - first > onePressMs) setTimeout(end, graceMs)
  first ||= now
}

function end() {
  if (Atomics.load(isHandled, 0) === 0) writeSync(2, `\n${`Stopped at once. ${hint}`.trimEnd()}\n`)
  process.kill(process.pid, 'SIGKILL')
}

/** npm is gone, which would have passed signals on to us: nobody can stop this run any more. */
function watchParent() {
  const timer = setInterval(() => {
    if (isThere()) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
    setTimeout(end, graceMs)
  }, PARENT_POLL_MS)
}

/** Whether we still descend from those who started us: an orphan gets another parent. */
function isThere() {
  if (process.ppid !== npm.parent) return false
  if (npm.grandparent === undefined) return true
  try {
    const stat = readFileSync(`/proc/${npm.parent}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === npm.grandparent // proc(5)
  } catch {
    return false
  }
}

/** Node has no public way to receive signals in a worker: where this one is missing, only the main thread receives them. */
function watchSignals() {
  process.noDeprecation = true
  try {
    const { Signal } = process.binding('signal_wrap')
    for (const number of [2, 15]) {
      const watch = new Signal()
      watch.onsignal = onSignal
      watch.start(number)
    }
  } catch {
    // as before
  }
}

watchSignals()
if (npm) watchParent()
