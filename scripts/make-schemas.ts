// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT } from '../eval/runtime/project.ts'
import { type CommandLine, flag } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { writeText } from '../pipeline/shared/output-files.ts'
import { withReference } from './command-reference.ts'
import { schemaFiles } from './json-schema.ts'
import { messagesPage } from './message-reference.ts'
import { script } from './run-script.ts'

/* What is generated in docs/, from the schemas of a release's files, the parser of commands and the errors in the sources. */

const COMMANDS = 'docs/commands.md'
const MESSAGES = 'docs/messages.md'

const LINE: CommandLine = {
  command: 'npm run schemas --',
  usage: '[options]',
  about:
    'Write to docs/ the JSON Schemas of config.json and manifest.json, their pages, and the references of commands and messages.',
}

/** What is generated: path in the project, content. */
async function generated(): Promise<[path: string, text: string][]> {
  const commands = await readFile(join(PROJECT, COMMANDS), 'utf8')
  return [...schemaFiles(), [COMMANDS, withReference(commands)], [MESSAGES, messagesPage()]]
}

const run = script(
  LINE,
  { check: flag('write nothing; fail where a file is not up to date') },
  async ({ check }, { report }) => {
    let old = 0
    for (const [path, text] of await generated()) {
      const place = join(PROJECT, path)
      const isCurrent = check && (await readFile(place, 'utf8').catch(() => '')) === text
      if (isCurrent) continue
      if (!check) await writeText(place, text)
      else old++
      report({ path, isCurrent }, () => [check ? `${path} is not up to date: npm run schemas` : path])
    }
    return old === 0 ? EXIT.done : EXIT.failed
  },
)

await asProcess(run, process.argv.slice(2))
