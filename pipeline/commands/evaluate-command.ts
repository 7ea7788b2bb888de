// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { makeProgress, type Progress, progressEvents } from '../evaluate/evaluation-progress.ts'
import { REPORT_PAGE } from '../evaluate/result-files.ts'
import type { Evaluated } from '../evaluate/run-evaluation.ts'
import { EXIT, Failure } from '../shared/failure.ts'
import { tableLines } from '../shared/text-table.ts'
import { type EvaluateCommand, parseEvaluate } from './evaluate-options.ts'
import { type Output, runnable } from './run-command.ts'

/** The command `npm run evaluate`. */
export const run = runnable({
  parse: parseEvaluate,
  stdout: 'results',
  needsPeers: true,
  isJsonChanged: true,
  afterStop: 'Run the same command again: what has been measured is kept.',
  async run(command, output, signal) {
    const isLive = process.stderr.isTTY === true && !process.env['CI']
    const progress = output.isJson ? progressEvents(output.emit) : makeProgress(isLive)
    try {
      const evaluated = await carryOut(command, progress, signal)
      progress.close()
      await tell(evaluated, output)
      refuseNothing(evaluated)
      return EXIT.done
    } finally {
      progress.close()
    }
  },
})

/** What does the work is loaded when there is work: the command line answers at once. */
async function carryOut(
  command: EvaluateCommand,
  progress: Progress,
  signal: AbortSignal,
): Promise<Evaluated> {
  if (command.command === 'merge') {
    const { mergeParts } = await import('../evaluate/merge.ts')
    return mergeParts(command.folders, command.output)
  }
  const { runEvaluation } = await import('../evaluate/run-evaluation.ts')
  return runEvaluation(command, progress, signal)
}

async function tell({ report, output: folder }: Evaluated, output: Output): Promise<void> {
  const { reportJson } = await import('../evaluate/write-report.ts')
  const { remarks } = await import('../../eval/report/remarks.ts')
  const { textTables } = await import('../../eval/report/tables.ts')
  output.report({ output: folder, ...reportJson(report) }, () => [
    ...textTables(report).flatMap(({ title, columns, rows }) => ['', title, ...tableLines(columns, rows)]),
    '',
    ...remarks(report).map((text) => `  ${text}`),
    '',
    `Report: ${join(folder, REPORT_PAGE)}`,
  ])
}

/** A table in which a system transcribed nothing is not a measurement. */
function refuseNothing({ report }: Evaluated): void {
  const { dataset, system } =
    report.rows.find(({ failures, utterances }) => utterances > 0 && failures.problems === utterances) ?? {}
  const found = report.systems.find(({ name }) => name === system)
  if (found === undefined) return
  const did = found.kind === 'aligner' ? 'aligned' : 'transcribed'
  throw new Failure(`${system} ${did} nothing of ${dataset}.`, 'See above why; --retry tries again.')
}
