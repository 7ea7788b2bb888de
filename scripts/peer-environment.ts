// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { PROJECT } from '../eval/runtime/project.ts'
import { systemPython } from '../pipeline/python/venv.ts'
import { exists } from '../pipeline/shared/output-files.ts'

/* The other engines' wheels, in a Python environment of their own. */

const PINS = join(PROJECT, 'python', 'bench', 'peer-requirements.txt')
/** What exports graphs and runs them in Python. */
export const PROJECT_PYTHON = join(PROJECT, '.venv', 'bin', 'python')
/** For what writes model files and reads samples. */
const SHARED = ['gguf', 'numpy']

/**
 * An interpreter that has an engine, installed on first use in the pinned versions; wheels only, nothing is built.
 * @param packages of the engine
 * @throws Error of the installer
 */
export async function pythonWith(
  folder: string,
  engine: string,
  packages: readonly string[],
): Promise<string> {
  const python = join(folder, 'bin', 'python')
  const stamp = join(folder, `has-${engine}`)
  const pins = createHash('sha256')
    .update(await readFile(PINS))
    .digest('hex')
  if ((await readFile(stamp, 'utf8').catch(() => '')) === pins) return python
  await mkdir(folder, { recursive: true })
  if (!(await exists(python))) await execa(await systemPython(), ['-m', 'venv', folder])
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  await execa(python, [...pip, '--only-binary', ':all:', '--constraint', PINS, ...packages, ...SHARED])
  await writeFile(stamp, pins)
  return python
}

/** The pinned version of a package, for tables. */
export async function pinnedVersion(name: string): Promise<string> {
  const pins = await readFile(PINS, 'utf8')
  return new RegExp(`^${name}==(\\S+)$`, 'm').exec(pins)?.[1] ?? ''
}
