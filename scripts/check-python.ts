// SPDX-License-Identifier: Apache-2.0

import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { type CommandLine, flag } from '../pipeline/commands/arguments.ts'
import { asProcess } from '../pipeline/commands/command-process.ts'
import { systemPython } from '../pipeline/python/venv.ts'
import { EXIT } from '../pipeline/shared/failure.ts'
import { script } from './run-script.ts'

/* ruff and mypy on all Python of the project: `npm run check`, and with --fix `npm run fix`. */

/** They are in an environment of their own: .venv has what users need. */
const TOOLS = join(PROJECT, 'node_modules', '.cache', 'qwen3-asr-onnx-python-check')
const PYTHON = join(TOOLS, 'bin', 'python')
const REQUIREMENTS = join('python', 'check-requirements.txt')
const CONFIG = join('python', 'pyproject.toml')
const FOLDERS = ['python', 'test/helpers', 'test/hub']

async function install(): Promise<void> {
  const wanted = await readFile(join(PROJECT, REQUIREMENTS), 'utf8')
  const stamp = join(TOOLS, 'requirements.txt')
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return
  await rm(TOOLS, { recursive: true, force: true })
  await execa(await systemPython(), ['-m', 'venv', TOOLS])
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  await execa(PYTHON, [...pip, '-r', REQUIREMENTS], { cwd: PROJECT })
  await writeFile(stamp, wanted)
}

/** @returns whether the tool found nothing */
async function check(...tool: readonly string[]): Promise<boolean> {
  const args = ['-m', ...tool, ...FOLDERS]
  const { exitCode } = await execa(PYTHON, args, { cwd: PROJECT, stdio: 'inherit', reject: false })
  return exitCode === 0
}

const LINE: CommandLine = {
  command: 'npm run check --',
  usage: '[--fix]',
  about: 'Run ruff and mypy on all Python of the project.',
}

const run = script(LINE, { fix: flag('fix what can be fixed automatically') }, async ({ fix }) => {
  await install()
  const results = [
    await check('ruff', 'check', '--quiet', '--config', CONFIG, ...(fix ? ['--fix'] : [])),
    await check('ruff', 'format', '--quiet', '--config', CONFIG, ...(fix ? [] : ['--check'])),
    await check('mypy', '--config-file', CONFIG, '--cache-dir', join(TOOLS, 'mypy-cache')),
  ]
  return results.every((isClean) => isClean) ? EXIT.done : EXIT.failed
})

await asProcess(run, process.argv.slice(2))
