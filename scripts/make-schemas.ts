import { join } from 'node:path'
import type { CommandLine } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { PROJECT } from '../pipeline/models.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { writeText } from '../pipeline/shared/output-files.ts'
import { schemaFiles } from './json-schema.ts'
import { script } from './run-script.ts'

/* The JSON Schemas of a release's files and their reference pages, from the schemas that write and read them. */

const LINE: CommandLine = {
  command: 'npm run schemas --',
  usage: '[options]',
  about: 'Write the JSON Schemas of config.json and manifest.json, and their pages, to docs/.',
}

const run = script(LINE, {}, async (_options, { report }) => {
  for (const [path, text] of schemaFiles()) {
    await writeText(join(PROJECT, path), text)
    report({ path }, () => [path])
  }
  return EXIT.done
})

await asProcess(run, process.argv.slice(2))
