// SPDX-License-Identifier: Apache-2.0

import { describeError, EXIT, Failure } from '../shared/failure.ts'
import { tableLines } from '../shared/text-table.ts'
import { columnsOf } from '../shared/text-width.ts'
import { parseQuantize, type QuantizeOptions } from './quantize-options.ts'
import { type Output, runnable } from './run-command.ts'

type Of<Name extends QuantizeOptions['command']> = Extract<QuantizeOptions, { command: Name }>

/** The command `npm run quantize`. */
export const run = runnable({
  parse: parseQuantize,
  stdout: 'results',
  needsPeers: true,
  isStoppable: ({ command }) => command === 'trial' || command === 'scan',
  afterStop: 'Run the same command again: what is finished is not run again.',
  async run(options, output, signal) {
    switch (options.command) {
      case 'list':
        return list(options, output)
      case 'compare':
        return compare(options, output)
      case 'scan':
        return scan(options as Of<'scan'>, output, signal)
      default:
        return trial(options as Of<'trial'>, output, signal)
    }
  },
})

// the command line answers at once: what works is imported when it is wanted

async function list({ modelDir }: { readonly modelDir?: string }, output: Output): Promise<number> {
  const { LIST_COLUMNS, listRecipes, listRows } = await import('../lab/list-recipes.ts')
  const listed = await listRecipes(modelDir)
  output.report({ recipes: listed }, () => tableLines(LIST_COLUMNS, listRows(listed)))
  return EXIT.done
}

async function compare({ modelDir }: { readonly modelDir?: string }, output: Output): Promise<number> {
  const { COMPARE_COLUMNS, compareRecipes, compareRows } = await import('../lab/compare-recipes.ts')
  const { compared, chart } = await compareRecipes(modelDir)
  output.report({ compared, ...(chart && { chart }) }, () => [
    ...tableLines(COMPARE_COLUMNS, compareRows(compared)),
    ...(chart === undefined ? [] : [`Chart: ${chart}`]),
  ])
  return EXIT.done
}

async function scan(options: Of<'scan'>, output: Output, signal: AbortSignal): Promise<number> {
  const { scanWeights } = await import('../lab/scan-weights.ts')
  const { scanLines } = await import('../lab/scan-text.ts')
  const { found, page } = await scanWeights(options, { emit: output.emit, signal })
  output.report({ scan: found, page }, () => [
    ...scanLines(found, columnsOf(process.stdout)),
    '',
    `Page: ${page}`,
  ])
  return EXIT.done
}

async function trial(options: Of<'trial'>, output: Output, signal: AbortSignal): Promise<number | Failure> {
  const { runTrials } = await import('../lab/run-trials.ts')
  const { trialLines } = await import('../lab/trial-text.ts')
  const { failed, of } = await runTrials(
    options,
    { emit: output.emit, signal },
    ({ record, isOld }) => output.report({ trial: record, isOld }, () => trialLines(record, isOld)),
    (one, error) => {
      const { message, hint } = describeError(error)
      if (output.isJson) output.report({ failed: { name: one.name, message, hint } }, () => [])
      else
        for (const line of [`${one.name} failed: ${message}`, ...(hint ? [`hint: ${hint}`] : [])])
          output.note(line)
    },
  )
  if (failed === 0) return EXIT.done
  return new Failure(`${failed} of ${of} trials failed.`)
}
