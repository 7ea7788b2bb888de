import { parseCommandLine } from './cli.ts'
import { describeError, EXIT, Failure } from './failure.ts'
import type { Options } from './options.ts'
import { jsonReporter, liveReporter, plainReporter, type Reporter } from './reporter.ts'
import { runPipeline } from './run.ts'

/** Two signals closer than this are one key press that reached us twice. */
const ONE_PRESS_MS = 1000

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<number> {
  let reporter = args.includes('--json') ? jsonReporter() : plainReporter()
  try {
    const options = await parseCommandLine(args)
    if (options === undefined) return EXIT.done
    reporter = reporterFor(options)
    await runPipeline(options, reporter.emit, interruption())
    return EXIT.done
  } catch (error) {
    const { message, hint, exitCode } = describeError(error)
    reporter.emit({ event: 'failure', message, hint, exitCode })
    if (args.includes('--debug') && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return exitCode
  } finally {
    reporter.close()
  }
}

function reporterFor(options: Options): Reporter {
  if (options.json) return jsonReporter()
  const isCi = process.env['CI'] !== undefined && process.env['CI'] !== 'false'
  return process.stdout.isTTY && !isCi ? liveReporter() : plainReporter()
}

/** Ctrl-C stops the children and lets every stage clean up; a second one ends at once. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  let first = 0
  const stop = () => {
    const now = performance.now()
    if (first !== 0 && now - first > ONE_PRESS_MS) {
      process.stderr.write('\nStopped at once. Run the same command again: finished stages are kept.\n')
      process.exit(EXIT.interrupted)
    }
    first ||= now
    controller.abort(
      new Failure('Stopped.', 'Run the same command again: finished stages are kept.', EXIT.interrupted),
    )
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
