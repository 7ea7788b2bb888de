import { EXIT, Failure } from './failure.ts'

/** Two signals closer than this are one key press that reached us twice. */
const ONE_PRESS_MS = 1000

/**
 * A signal that Ctrl-C aborts, so that work stops where it may and cleans up. A second one ends the process at once.
 * @param hint what to do next
 */
export function interruption(hint = ''): AbortSignal {
  const controller = new AbortController()
  let first = 0
  const stop = () => {
    const now = performance.now()
    if (first !== 0 && now - first > ONE_PRESS_MS) {
      process.stderr.write(`\n${`Stopped at once. ${hint}`.trimEnd()}\n`)
      process.exit(EXIT.interrupted)
    }
    first ||= now
    controller.abort(new Failure('Stopped.', hint, EXIT.interrupted))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
