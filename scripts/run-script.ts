// SPDX-License-Identifier: Apache-2.0

import { stat } from 'node:fs/promises'
import {
  type CommandLine,
  type OptionsOf,
  type OptionTable,
  parseOptions,
  usage,
} from '../pipeline/commands/arguments.ts'
import { type Output, type RunCommand, runnable } from '../pipeline/commands/run-command.ts'
import type { ExitCode } from '../pipeline/shared/failure.ts'

/** Options that name a folder which must be there. */
const FOLDERS = ['modelDir', 'exported', 'checkpoint', 'work']

/**
 * A script as a command.
 * @param work prints what it finds
 */
export function script<const Table extends OptionTable>(
  line: CommandLine,
  table: Table,
  work: (options: OptionsOf<Table>, output: Output) => Promise<ExitCode>,
): RunCommand {
  return runnable({
    parse: (args) => parseOptions(line, args, table, (options) => options),
    stdout: 'results',
    isStoppable: () => false,
    async run(options, output) {
      await requireFolders(options, line.command)
      return work(options, output)
    },
  })
}

async function requireFolders(options: object, command: string): Promise<void> {
  for (const [name, path] of Object.entries(options)) {
    if (!FOLDERS.includes(name)) continue
    const info = await stat(String(path)).catch(() => undefined)
    const option = name.replace('D', '-d')
    if (!info?.isDirectory())
      throw usage(`--${option} ${path} is not a folder.`, `${command} --help lists the options.`)
  }
}
