// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import type { CommandLine } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { EXIT, Failure } from '../pipeline/shared/failure.ts'
import { script } from './run-script.ts'

/* The package as publint and attw see it: whether others can import it, with types. */

const LINE: CommandLine = {
  command: 'npm run check --',
  usage: '',
  about: 'Build the package, and check it with publint and attw.',
}

/** Modules alone: CommonJS programs get them by require, which attw warns of. */
const TOOLS = [
  ['publint', 'run', '--strict'],
  ['attw', '--profile', 'esm-only', '--format', 'ascii'],
]

const run = script(LINE, {}, async (_options, { note }) => {
  const folder = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-pack-'))
  try {
    await execa('npm', ['run', '--silent', 'build'], { cwd: PROJECT, stdio: 'inherit' })
    // without scripts: package.json stays as it is
    const pack = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
    const { stdout } = await execa('npm', pack, { cwd: PROJECT })
    const [{ filename }] = JSON.parse(stdout)
    const problems = await Promise.all(TOOLS.map((words) => problemOf([...words, join(folder, filename)])))
    for (const line of problems.join('').split('\n').filter(Boolean)) note(line)
    return problems.every((text) => text === '') ? EXIT.done : EXIT.failed
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

/** What a tool prints when it is not satisfied. */
async function problemOf([tool = '', ...args]: readonly string[]): Promise<string> {
  const options = { all: true, reject: false, preferLocal: true, localDir: PROJECT } as const
  const { exitCode, all } = await execa(tool, args, options)
  if (exitCode === undefined) throw new Failure(`${tool} did not start.`, 'Run: npm ci --ignore-scripts')
  return exitCode === 0 ? '' : `${all}\n`
}

await asProcess(run, process.argv.slice(2))
