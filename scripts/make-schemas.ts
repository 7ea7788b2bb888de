import { join } from 'node:path'
import yargs from 'yargs'
import { writeText } from '../pipeline/files.ts'
import { PROJECT } from '../pipeline/models.ts'
import { parseScript } from './command-line.ts'
import { schemaFiles } from './json-schema.ts'

/* The JSON Schemas of a release's files and their reference pages, from the schemas that write and read them. */

await parseScript(
  'npm run schemas --',
  yargs().usage('$0\n\nWrite the JSON Schemas of config.json and manifest.json, and their pages, to docs/.'),
  process.argv.slice(2),
)
for (const [path, text] of schemaFiles()) {
  await writeText(join(PROJECT, path), text)
  console.log(path)
}
