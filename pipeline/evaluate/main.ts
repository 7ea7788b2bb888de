import { join } from 'node:path'
import { remarks, textTables } from '../../eval/report/tables.ts'
import { describeError, EXIT, type ExitCode, Failure } from '../failure.ts'
import { tableLines } from '../reporter.ts'
import { parseEvaluate } from './cli.ts'
import { mergeParts } from './merge.ts'
import { makeProgress } from './progress.ts'
import { type Evaluated, runEvaluation } from './run.ts'
import { REPORT_PAGE, reportJson } from './write-report.ts'

const CONTINUES = 'Run the same command again: what has been measured is kept.'

process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<ExitCode> {
  const progress = makeProgress(process.stderr.isTTY === true && !process.env['CI'])
  try {
    const command = await parseEvaluate(args)
    if (!command) return EXIT.done
    const evaluated =
      command.command === 'merge'
        ? await mergeParts(command.folders, command.output)
        : await runEvaluation(command.options, progress, interruption())
    progress.close()
    print(evaluated, command.command === 'merge' ? command.json : command.options.json)
    return EXIT.done
  } catch (error) {
    progress.close()
    const { message, hint, exitCode } = describeError(error)
    process.stderr.write(`error: ${message}\n${hint ? `hint: ${hint}\n` : ''}`)
    if (args.includes('--debug') && error instanceof Error) process.stderr.write(`${error.stack}\n`)
    return exitCode
  }
}

function print({ report, output }: Evaluated, isJson: boolean): void {
  const page = join(output, REPORT_PAGE)
  const lines = isJson
    ? [JSON.stringify({ output, ...reportJson(report) })]
    : [
        ...textTables(report).flatMap(({ title, columns, rows }) => [
          '',
          title,
          ...tableLines(columns, rows),
        ]),
        '',
        ...remarks(report).map((text) => `  ${text}`),
        '',
        `Report: ${page}`,
      ]
  process.stdout.write(`${lines.join('\n')}\n`)
}

/** Ctrl-C stops between two tokens; what was measured is in the file. A second one ends at once. */
function interruption(): AbortSignal {
  const controller = new AbortController()
  const stop = () => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted)
    controller.abort(new Failure('Stopped.', CONTINUES, EXIT.interrupted))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return controller.signal
}
