import type { Emit } from './events.ts'
import { describeError, EXIT, type ExitCode, Failure } from './failure.ts'
import { jsonReporter, liveReporter, plainReporter, type Reporter } from './reporter.ts'

/** Two signals closer than this are one key press that reached us twice. */
const ONE_PRESS_MS = 1000

interface Common {
  readonly json: boolean
  readonly debug: boolean
  /** a question may be asked in between, which a live view would draw over */
  readonly asks?: boolean
}

export interface Command<Options extends Common> {
  /** @returns undefined when help was printed */
  parse(args: readonly string[]): Promise<Options | undefined>
  run(options: Options, emit: Emit, signal: AbortSignal): Promise<ExitCode>
  /** what to do after an interruption */
  readonly afterStop: string
  /** what no text that leaves the process may hold is taken out of it */
  readonly redact?: (text: string) => string
}

/**
 * Parse, run and report one command line: events to the reporter that fits the terminal, failures as a sentence and a
 * hint. Ctrl-C aborts the signal, and a second one ends at once.
 * @returns the exit code
 */
export async function runCommand<Options extends Common>(
  args: readonly string[],
  { parse, run, afterStop, redact = (text) => text }: Command<Options>,
): Promise<ExitCode> {
  let reporter = args.includes('--json') ? jsonReporter() : plainReporter()
  try {
    const options = await parse(args)
    if (options === undefined) return EXIT.done
    reporter = reporterFor(options)
    const { emit } = reporter
    const clean: Emit = (event) =>
      emit(event.event === 'note' ? { ...event, text: redact(event.text) } : event)
    return await run(options, clean, interruption(afterStop))
  } catch (error) {
    const { message, hint, exitCode } = describeError(error)
    reporter.emit({ event: 'failure', message: redact(message), hint: redact(hint), exitCode })
    if (args.includes('--debug') && error instanceof Error)
      process.stderr.write(`${redact(error.stack ?? '')}\n`)
    return exitCode
  } finally {
    reporter.close()
  }
}

function reporterFor({ json, asks = false }: Common): Reporter {
  if (json) return jsonReporter()
  const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'
  return process.stdout.isTTY && !isCi && !asks ? liveReporter() : plainReporter()
}

function interruption(afterStop: string): AbortSignal {
  const controller = new AbortController()
  let first = 0
  const stop = () => {
    const now = performance.now()
    if (first !== 0 && now - first > ONE_PRESS_MS) {
      process.stderr.write(`\nStopped at once. ${afterStop}\n`)
      process.exit(EXIT.interrupted)
    }
    first ||= now
    controller.abort(new Failure('Stopped.', afterStop, EXIT.interrupted))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
