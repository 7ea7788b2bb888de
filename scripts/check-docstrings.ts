// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT } from '../eval/runtime/project.ts'
import type { CommandLine } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { undocumented } from './docstrings.ts'
import { script } from './run-script.ts'

/* Every exported name has a docstring: `npm run check`. */

const ROOMS = ['eval', 'graph-tools', 'pipeline', 'scripts']
const SOURCE = /\.[jt]s$/

async function sourcesOf(room: string): Promise<string[]> {
  const names = await readdir(join(PROJECT, room), { recursive: true })
  return names
    .filter((name) => SOURCE.test(name))
    .map((name) => join(room, name))
    .sort()
}

async function missingIn(path: string): Promise<string[]> {
  const source = await readFile(join(PROJECT, path), 'utf8')
  return undocumented(source).map(
    ({ line, declaration }) => `${path}:${line} ${declaration} has no docstring`,
  )
}

const LINE: CommandLine = {
  command: 'npm run check --',
  usage: '',
  about: 'Check that every exported name has a docstring.',
}

const run = script(LINE, {}, async (_options, { report }) => {
  const files = (await Promise.all(ROOMS.map(sourcesOf))).flat()
  const found = (await Promise.all(files.map(missingIn))).flat()
  if (found.length === 0) return EXIT.done
  report({ found }, () => [
    ...found,
    `${found.length} exported names have no docstring, or one that begins with a tag. Write /** what it is or does */ above each.`,
  ])
  return EXIT.failed
})

await asProcess(run, process.argv.slice(2))
