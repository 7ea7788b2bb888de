import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../../pipeline/models.ts'

export interface Ended {
  readonly exitCode?: number
  readonly stdout: string
  readonly stderr: string
}

/** Start the command line as `npm run pipeline --` does, or another one of the project's. */
export function startCli(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
  main = 'pipeline/main.ts',
) {
  const script = join(PROJECT, main)
  const tsx = import.meta.resolve('tsx')
  return execa(process.execPath, ['--import', tsx, script, ...args], {
    cwd: PROJECT,
    env: { CI: 'true', OMP_NUM_THREADS: '1', ...env },
    reject: false,
    forceKillAfterDelay: false,
  })
}

/** Environment in which every write to a file whose path holds `text` fails as on a full disk. */
export function fullDiskFor(text: string): Record<string, string> {
  const faults = join(PROJECT, 'test', 'helpers', 'faults.ts')
  return { NODE_OPTIONS: `--import ${import.meta.resolve('tsx')} --import ${faults}`, FULL_FOR: text }
}

export async function runCli(
  args: readonly string[],
  env: Record<string, string | undefined> = {},
  main?: string,
): Promise<Ended> {
  return startCli(args, env, main)
}
