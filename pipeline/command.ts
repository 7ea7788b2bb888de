import type { Emit } from './events.ts'
import { describeError, EXIT, type ExitCode } from './failure.ts'
import { interruption } from './interruption.ts'
import { jsonReporter, liveReporter, plainReporter, type Reporter } from './reporter.ts'

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
