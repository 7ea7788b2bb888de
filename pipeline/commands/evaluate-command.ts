import { join } from 'node:path'
import { remarks } from '../../eval/report/remarks.ts'
import { textTables } from '../../eval/report/tables.ts'
import { makeProgress, type Progress } from '../evaluate/evaluation-progress.ts'
import { REPORT_PAGE } from '../evaluate/result-files.ts'
import type { Evaluated } from '../evaluate/run-evaluation.ts'
import { EXIT, type ExitCode, Failure } from '../failure.ts'
import { interruption } from '../interruption.ts'
import { tableLines } from '../table.ts'
import { reportError, reportUncaught, say, sayJson } from '../terminal.ts'
import { type Command, parseEvaluate } from './evaluate-options.ts'

const CONTINUES = 'Run the same command again: what has been measured is kept.'

reportUncaught(process.argv)
process.exitCode = await main(process.argv.slice(2))

async function main(args: readonly string[]): Promise<ExitCode> {
  const progress = makeProgress(process.stderr.isTTY === true && !process.env['CI'])
  try {
    const command = await parseEvaluate(args)
    if (!command) return EXIT.done
    const evaluated = await carryOut(command, progress)
    progress.close()
    await print(evaluated, command.command === 'merge' ? command.json : command.options.json)
    refuseNothing(evaluated)
    return EXIT.done
  } catch (error) {
    progress.close()
    return reportError(error, args)
  }
}

/** What does the work is loaded when there is work: the command line answers at once. */
async function carryOut(command: Command, progress: Progress): Promise<Evaluated> {
  if (command.command === 'merge') {
    const { mergeParts } = await import('../evaluate/merge.ts')
    return mergeParts(command.folders, command.output)
  }
  const { runEvaluation } = await import('../evaluate/run-evaluation.ts')
  return runEvaluation(command.options, progress, interruption(CONTINUES))
}

async function print({ report, output }: Evaluated, isJson: boolean): Promise<void> {
  const { reportJson } = await import('../evaluate/write-report.ts')
  const page = join(output, REPORT_PAGE)
  if (isJson) sayJson({ output, ...reportJson(report) })
  else
    say([
      ...textTables(report).flatMap(({ title, columns, rows }) => ['', title, ...tableLines(columns, rows)]),
      '',
      ...remarks(report).map((text) => `  ${text}`),
      '',
      `Report: ${page}`,
    ])
}

/** A table in which a system transcribed nothing is no measurement. */
function refuseNothing({ report }: Evaluated): void {
  const { dataset, system } =
    report.rows.find(({ failures, utterances }) => utterances > 0 && failures.problems === utterances) ?? {}
  if (system === undefined) return
  throw new Failure(`${system} transcribed nothing of ${dataset}.`, 'See above why; --retry tries again.')
}
