/*
 * A worker thread that sees signals while the main thread computes: Node hands signals to the event loop of the main
 * thread, which a call into onnxruntime blocks for seconds. It ends the process where the main thread cannot.
 */
import { readFileSync, writeSync } from 'node:fs'
import { workerData } from 'node:worker_threads'

const { onePressMs, graceMs, hint, isUnderNpm, handled } = workerData
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
  const parents = parentsNow()
  const timer = setInterval(() => {
    if (parentsNow() === parents) return
    clearInterval(timer)
    process.kill(process.pid, 'SIGTERM')
    setTimeout(end, graceMs)
  }, PARENT_POLL_MS)
}

/** Our parent, and where that is the shell in which npm runs scripts, its parent. */
function parentsNow() {
  try {
    const [, option] = readFileSync(`/proc/${process.ppid}/cmdline`, 'utf8').split('\0')
    if (option !== '-c') return `${process.ppid}`
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
    return `${process.ppid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]}` // proc(5)
  } catch {
    return `${process.ppid}` // shells of other systems than Linux become the program
  }
}

/** Node has no public way to hear signals in a worker: where this one is missing, the main thread hears them alone. */
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
if (isUnderNpm) watchParent()
