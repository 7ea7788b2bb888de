// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { PROJECT } from '../eval/runtime/project.ts'
import { section, text } from '../eval/runtime/schema.ts'
import type { CommandLine } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { writeText } from '../pipeline/shared/output-files.ts'
import { releaseChangelog } from './changelog.ts'
import { script } from './run-script.ts'

/* `npm version` runs this when package.json has the new version, before it commits. */

const LINE: CommandLine = {
  command: 'node --import tsx scripts/release-changelog.ts',
  usage: '[options]',
  about: 'Make what CHANGELOG.md has under [Unreleased] the section of the version in package.json.',
}

const run = script(LINE, {}, async (_options, { report }) => {
  const [path, packagePath] = [join(PROJECT, 'CHANGELOG.md'), join(PROJECT, 'package.json')]
  const { version } = v.parse(section({ version: text }), JSON.parse(await readFile(packagePath, 'utf8')))
  const date = new Date().toISOString().slice(0, 'YYYY-MM-DD'.length)
  await writeText(path, releaseChangelog(await readFile(path, 'utf8'), version, date))
  report({ path, version, date }, () => [`CHANGELOG.md: [${version}] - ${date}`])
  return EXIT.done
})

await asProcess(run, process.argv.slice(2))
