import type { Emit } from '../events.ts'
import { describeError, EXIT, type ExitCode } from '../failure.ts'
import { interruption } from '../interruption.ts'
import { mapTexts, redact } from '../redact.ts'
import { jsonReporter, liveReporter, plainReporter, type Reporter } from '../reporter.ts'
import { reportUncaught, sayStack } from '../terminal.ts'

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
}

/**
 * Parse, run and report one command line: events to the reporter that fits the terminal, failures as a sentence and a
 * hint. Ctrl-C aborts the signal, and a second one ends at once.
 * @returns the exit code
 */
export async function runCommand<Options extends Common>(
  args: readonly string[],
  { parse, run, afterStop }: Command<Options>,
): Promise<ExitCode> {
  reportUncaught(args)
  let reporter = args.includes('--json') ? jsonReporter() : plainReporter()
  try {
    const options = await parse(args)
    if (options === undefined) return EXIT.done
    reporter = reporterFor(options)
    const { emit } = reporter
    const clean: Emit = (event) => emit(event.event === 'progress' ? event : mapTexts(event, redact))
    return await run(options, clean, interruption(afterStop))
  } catch (error) {
    const { message, hint, exitCode } = describeError(error)
    reporter.emit({ event: 'failure', message: redact(message), hint: redact(hint), exitCode })
    if (args.includes('--debug')) sayStack(error)
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
