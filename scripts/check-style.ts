// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT } from '../eval/runtime/project.ts'
import type { CommandLine } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { GENERATED } from './command-reference.ts'
import { script } from './run-script.ts'
import { markdownBreaches, phraseBreaches, proseOf, titlesOf } from './style-rules.ts'

/* The wording of documentation, comments, messages and titles of tests: `npm run check`. */

const ROOMS = ['eval', 'graph-tools', 'pipeline', 'python', 'scripts']
const SOURCE = /\.(?:ts|js|py|html)$/
const TEST = /^test\/.*\.test\.ts$/
/** They have the words that they look for. */
const OWN = ['scripts/style-rules.ts', 'test/docs/style.test.ts']
/** Only phrases are checked there: a list of changes, and pages that are made from schemas. */
const FREE = ['CHANGELOG.md', 'docs/config-json.md', 'docs/manifest-json.md', 'docs/messages.md']

async function filesIn(folder: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const names = await readdir(join(PROJECT, folder), { recursive: folder !== '.' })
  return names.filter(isWanted).map((name) => join(folder, name))
}

async function breachesOf(path: string): Promise<string[]> {
  const text = await readFile(join(PROJECT, path), 'utf8')
  const isMarkdown = path.endsWith('.md') && !FREE.includes(path)
  const found = [
    ...phraseBreaches(proseIn(path, text)),
    ...(isMarkdown ? markdownBreaches(text.split(GENERATED)[0] ?? '') : []),
  ]
  return found.map(({ line, problem }) => `${path}:${line} ${problem}`)
}

/** The style page itself lists the words that are not used. */
function proseIn(path: string, text: string): string {
  if (path === 'docs/style.md') return ''
  if (path.endsWith('.md')) return text.replace(/`[^`\n]*`/g, '~')
  if (path.endsWith('.html')) return text
  if (TEST.test(path)) return titlesOf(text)
  return proseOf(text, path.endsWith('.py') ? 'python' : 'script')
}

const LINE: CommandLine = {
  command: 'npm run check --',
  usage: '',
  about: 'Check the wording of documentation, comments, messages and titles of tests (docs/style.md).',
}

const run = script(LINE, {}, async (_options, { report }) => {
  const folders = await Promise.all(ROOMS.map((room) => filesIn(room, (name) => SOURCE.test(name))))
  const pages = await Promise.all(
    ['.', 'docs'].map((folder) => filesIn(folder, (name) => name.endsWith('.md'))),
  )
  const tests = await filesIn('test', (name) => name.endsWith('.test.ts'))
  const files = [...folders, ...pages, tests].flat().filter((path) => !OWN.includes(path))
  const found = (await Promise.all(files.map(breachesOf))).flat()
  if (found.length === 0) return EXIT.done
  report({ found }, () => [...found, `${found.length} places break docs/style.md.`])
  return EXIT.failed
})

await asProcess(run, process.argv.slice(2))
