import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandLine } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { PROJECT } from '../pipeline/models.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { writeText } from '../pipeline/shared/output-files.ts'
import { withReference } from './command-reference.ts'
import { schemaFiles } from './json-schema.ts'
import { script } from './run-script.ts'

/* The JSON Schemas of a release's files, and the reference pages: from the schemas and from the parser of commands. */

const COMMANDS = 'docs/commands.md'

const LINE: CommandLine = {
  command: 'npm run schemas --',
  usage: '[options]',
  about:
    'Write to docs/ the JSON Schemas of config.json and manifest.json, their pages, and the reference of commands.',
}

const run = script(LINE, {}, async (_options, { report }) => {
  const commands = await readFile(join(PROJECT, COMMANDS), 'utf8')
  for (const [path, text] of [...schemaFiles(), [COMMANDS, withReference(commands)] as const]) {
    await writeText(join(PROJECT, path), text)
    report({ path }, () => [path])
  }
  return EXIT.done
})

await asProcess(run, process.argv.slice(2))
