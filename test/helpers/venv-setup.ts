import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { findPython } from '../../pipeline/venv.ts'

const REQUIREMENTS = 'test/requirements.txt'
/** Where the test-only packages are: a folder of their own, so that .venv stays what users have. */
export const TEST_PACKAGES = '.venv/test-packages'

/** The tests run the real Python scripts: make .venv once, before any of them, and the referees' packages. */
export default async function setup(): Promise<void> {
  const say = (text: string) => process.stderr.write(`${text}\n`)
  const python = await findPython({
    emit: (event) => event.event === 'note' && say(event.text),
    signal: new AbortController().signal,
  })
  const wanted = await readFile(REQUIREMENTS, 'utf8')
  const stamp = join(TEST_PACKAGES, 'requirements.txt')
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return
  await rm(TEST_PACKAGES, { recursive: true, force: true })
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  await execa(python.path, [...install, '--target', TEST_PACKAGES, '-r', REQUIREMENTS])
  await writeFile(stamp, wanted)
}
