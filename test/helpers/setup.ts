import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { findPython } from '../../pipeline/venv.ts'
import { SHARED_RELEASES, TEST_PACKAGES } from './places.ts'

const REQUIREMENTS = 'test/requirements.txt'
/** Before all tests: .venv for the real Python scripts, the referees' packages, and a tiny release to work on. */
export default async function setup(): Promise<void> {
  const say = (text: string) => process.stderr.write(`${text}\n`)
  const python = await findPython({
    emit: (event) => event.event === 'note' && say(event.text),
    signal: new AbortController().signal,
  })
  await installReferees(python.path)
  say('Making the tiny release (a minute, when it is not there)')
  await makeTinyRelease()
}

async function installReferees(python: string): Promise<void> {
  const wanted = await readFile(REQUIREMENTS, 'utf8')
  const stamp = join(TEST_PACKAGES, 'requirements.txt')
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return
  await rm(TEST_PACKAGES, { recursive: true, force: true })
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  await execa(python, [...install, '--target', TEST_PACKAGES, '-r', REQUIREMENTS])
  await writeFile(stamp, wanted)
}

/** Skipped when nothing has changed since. */
async function makeTinyRelease(): Promise<void> {
  const args = ['--model', 'tiny', '--output', SHARED_RELEASES, '--until', 'package', '--threads', '1']
  const env = { CI: 'true', OMP_NUM_THREADS: '1' }
  await execa('npm', ['run', '--silent', 'pipeline', '--', ...args], { env })
}
