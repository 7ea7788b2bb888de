import { describeError, EXIT, type ExitCode, Failure } from '../failure.ts'
import { runCommandLine } from './command-line.ts'
import { allowClosedPipes, say, sayJson } from './terminal.ts'

/** Two signals closer than this are one key press that reached us twice. */
const ONE_PRESS_MS = 1000

allowClosedPipes()
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<ExitCode> {
  try {
    return await runCommandLine(args, interruption())
  } catch (error) {
    const { message, hint, exitCode } = described(error)
    if (args.includes('--json')) sayJson({ event: 'failure', message, hint, exitCode }, process.stderr)
    else say([`error: ${message}`, ...(hint ? [`hint: ${hint}`] : [])], process.stderr)
    if (args.includes('--debug') && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return exitCode
  }
}

function described(error: unknown): ReturnType<typeof describeError> {
  const found = describeError(error)
  const { code = '' } = (error ?? {}) as NodeJS.ErrnoException
  const isFull = code === 'ENOSPC' || code === 'EDQUOT'
  return isFull ? { ...found, hint: 'Free space, then run the same command again.' } : found
}

/** Ctrl-C stops before the next change and lets partial files be removed; a second one ends at once. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  let first = 0
  const stop = () => {
    const now = performance.now()
    if (first !== 0 && now - first > ONE_PRESS_MS) process.exit(EXIT.interrupted)
    first ||= now
    controller.abort(
      new Failure(
        'Stopped.',
        'Nothing is half done; run the same command again for the rest.',
        EXIT.interrupted,
      ),
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
