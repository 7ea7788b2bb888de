import { EXIT, Failure } from '../failure.ts'

/** Two signals closer than this are one key press that reached us twice. */
const ONE_PRESS_MS = 1000

/**
 * While something is rewritten Ctrl-C stops before the next change and lets partial files be removed; a second one ends
 * at once.
 */
export function interruption(): AbortSignal {
  const controller = new AbortController()
  let first = 0
  const stop = () => {
    const now = performance.now()
    if (first !== 0 && now - first > ONE_PRESS_MS) process.exit(EXIT.interrupted)
    first ||= now
    const hint = 'Nothing is half done; run the same command again for the rest.'
    controller.abort(new Failure('Stopped.', hint, EXIT.interrupted))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
