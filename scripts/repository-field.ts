// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { type CommandLine, flag } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { writeText } from '../pipeline/shared/output-files.ts'
import { versionOf } from '../pipeline/shared/own-version.ts'
import { script } from './run-script.ts'

/* The field `repository` of package.json, which npm pack needs for the time that it packs. */

const LINE: CommandLine = {
  command: 'node --import tsx scripts/repository-field.ts',
  usage: '[options]',
  about:
    "Set the field repository of package.json from git's remote, where neither the file nor its commit has one.",
}

const OPTIONS = { remove: flag('take it out again, unless the commit has it') } as const
const FILE = join(PROJECT, 'package.json')

const run = script(LINE, OPTIONS, async ({ remove }) => {
  const own: Record<string, unknown> = JSON.parse(await readFile(FILE, 'utf8'))
  const { repository: url } = await versionOf(PROJECT)
  if (remove && own['repository'] !== undefined && !(await isCommitted())) {
    const { repository, ...rest } = own
    await write(rest)
  } else if (!remove && own['repository'] === undefined && url !== undefined) {
    await write({ ...own, repository: { type: 'git', url: `git+${url}.git` } })
  }
  return EXIT.done
})

async function isCommitted(): Promise<boolean> {
  const { stdout } = await execa('git', ['show', 'HEAD:package.json'], { cwd: PROJECT })
  return 'repository' in JSON.parse(stdout)
}

async function write(manifest: object): Promise<void> {
  await writeText(FILE, `${JSON.stringify(manifest, undefined, 2)}\n`)
}

await asProcess(run, process.argv.slice(2))
