// SPDX-License-Identifier: Apache-2.0

import { execa } from 'execa'
import { PROJECT } from '../../eval/runtime/project.ts'
import { builtCommand, builtModule } from './commands.ts'

export interface Ended {
  readonly exitCode?: number
  readonly stdout: string
  readonly stderr: string
}

/** Start the command line of the pipeline, or another one of the project's. */
export function startCli(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
  command = 'pipeline',
) {
  return execa(process.execPath, [...builtCommand(command), ...args], {
    cwd: PROJECT,
    env: { CI: 'true', OMP_NUM_THREADS: '1', ...env },
    reject: false,
    forceKillAfterDelay: false,
  })
}

/** Environment in which every write to a file whose path holds `text` fails as on a full disk. */
export function fullDiskFor(text: string): Record<string, string> {
  return { NODE_OPTIONS: `--import ${builtModule('test/helpers/faults.ts')}`, FULL_FOR: text }
}

export async function runCli(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
  command?: string,
): Promise<Ended> {
  return startCli(args, env, command)
}
