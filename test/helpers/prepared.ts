import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { PROJECT } from '../../pipeline/models.ts'

/* What tests share. It is made while the first tests run (see setup.ts), so whoever needs some of it waits for it here. */

/** What is made for the tests: below node_modules, to find its packages. A second run of the tests finds it. */
export const MADE = join(PROJECT, 'node_modules', '.cache', 'qwen3-asr-onnx-test')
/** The test-only Python packages are in a folder of their own, so that .venv stays what users have. */
export const TEST_PACKAGES = join(PROJECT, '.venv', 'test-packages')
export const RELEASES = join(MADE, 'releases')
export const RECORD = join(MADE, 'releases.log')
/** A file for each thing that is ready in this run of the tests, and `failed`, which says why the rest will not be. */
export const READY = join(MADE, 'ready')

export type Prepared = 'python' | 'referees' | 'release'
const POLL_MS = 100

async function ready(what: Prepared): Promise<void> {
  const isThere = (name: string) =>
    access(join(READY, name)).then(
      () => true,
      () => false,
    )
  while (!(await isThere(what))) {
    if (await isThere('failed'))
      throw new Error(`Could not prepare the tests: ${await readFile(join(READY, 'failed'), 'utf8')}`)
    await sleep(POLL_MS)
  }
}

/** Python with the packages of the stages. */
export async function stagePython(): Promise<string> {
  await ready('python')
  return join(PROJECT, '.venv', 'bin', 'python')
}

/** Python that finds the test-only packages too, when it is started with this environment. */
export async function refereePython(): Promise<{ python: string; env: { PYTHONPATH: string } }> {
  await ready('referees')
  return { python: await stagePython(), env: { PYTHONPATH: TEST_PACKAGES } }
}

/** The folder that holds the tiny model's directory, with its release and the exported graphs. Nobody changes it. */
export async function sharedReleases(): Promise<string> {
  await ready('release')
  return RELEASES
}

/** What the pipeline printed when it made that release. */
export async function sharedRun(): Promise<string> {
  await ready('release')
  return readFile(RECORD, 'utf8')
}
