import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { findPython } from '../../pipeline/venv.ts'
import { MADE, type Prepared, READY, TEST_PACKAGES } from './prepared.ts'

/* Run beside the first tests: .venv for the real Python scripts, the referees' packages, and a tiny release to work on. */

const REQUIREMENTS = 'test/requirements.txt'
const say = (text: string) => process.stderr.write(`${text}\n`)
const tell = (what: Prepared) => writeFile(join(READY, what), '')

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
  const where = ['--output', join(MADE, 'releases'), '--until', 'package', '--keep-intermediate']
  const env = { CI: 'true', OMP_NUM_THREADS: '1' }
  const args = ['run', '--silent', 'pipeline', '--', '--model', 'tiny', ...where, '--threads', '1']
  await execa('npm', args, { env })
}

const python = await findPython({
  emit: (event) => event.event === 'note' && say(event.text),
  signal: new AbortController().signal,
})
await tell('python')
await installReferees(python.path)
await tell('referees')
await makeTinyRelease()
await tell('release')
