import { EXIT, Failure } from './failure.ts'

/**
 * A signal that Ctrl-C aborts: work stops between two tokens. A second one ends the process at once.
 * @param hint what to do next
 */
export function interruption(hint = ''): AbortSignal {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted)
    controller.abort(new Failure('Stopped.', hint, EXIT.interrupted))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
