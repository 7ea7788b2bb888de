// SPDX-License-Identifier: Apache-2.0

import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { findPython } from '../../pipeline/python/venv.ts'
import {
  ALIGNER_RECORD,
  ALIGNERS,
  RECORD,
  RELEASES,
  TEST_PACKAGES,
  TINY_ALIGNER_RECORD,
  TINY_ALIGNERS,
} from './places.ts'
import { makeRandomAligner } from './random-aligner.ts'
import { isWished, PREPARED, type Prepared, tellReady } from './wishes.ts'

/*
 * Run beside the tests, and makes what they wish for: .venv for the real Python scripts, the referees' packages, and a tiny release to
 * work on.
 */

const REQUIREMENTS = 'test/requirements.txt'
const say = (text: string) => process.stderr.write(`${text}\n`)
const POLL_MS = 50

const python = () =>
  findPython({
    emit: (event) => event.event === 'note' && say(event.text),
    signal: new AbortController().signal,
  })

async function installReferees(python: string): Promise<void> {
  const wanted = await readFile(REQUIREMENTS, 'utf8')
  const stamp = join(TEST_PACKAGES, 'requirements.txt')
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return
  await rm(TEST_PACKAGES, { recursive: true, force: true })
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  await execa(python, [...install, '--target', TEST_PACKAGES, '-r', REQUIREMENTS])
  await writeFile(stamp, wanted)
}

/** What an earlier run of the tests has made serves when nothing has changed since; else all stages run, and are recorded. */
async function makeTinyRelease(what: string, args: readonly string[], folder: string, record: string) {
  if (!existsSync(record)) say(`Making a release of ${what} (a minute)`)
  const env = { CI: 'true', OMP_NUM_THREADS: '1' }
  for (;;) {
    const { stdout } = await execa(
      'npm',
      ['run', '--silent', 'pipeline', '--', ...args, '--output', folder, '--threads', '1'],
      { env },
    )
    const isWhole = !stdout.includes('] skipped')
    if (isWhole) await writeFile(record, stdout)
    const isUnchanged = !/^\[(?!publish)\w+\] done/m.test(stdout)
    if (isWhole || (isUnchanged && existsSync(record))) return
    await rm(folder, { recursive: true })
  }
}

/** As {@link makeTinyRelease}; its stage validate fails, and so runs every time: it is done by hand when another has. */
async function makeAligner(): Promise<void> {
  const checkpoint = await makeRandomAligner(join(ALIGNERS, 'checkpoints'), 'original')
  const args = ['--model', checkpoint, '--output', ALIGNERS, '--variants', 'fp32,int4', '--threads', '1']
  const env = { CI: 'true', OMP_NUM_THREADS: '1' }
  const run = async (...more: string[]) =>
    execa('npm', ['run', '--silent', 'pipeline', '--', ...args, ...more], { env, all: true, reject: false })
  const { stdout, exitCode, all } = await run('--until', 'quantize')
  if (exitCode !== 0) throw new Error(all)
  if (!/^\[\w+\] done/m.test(stdout) && existsSync(ALIGNER_RECORD)) return
  const validated = await run('--only', 'validate')
  await writeFile(ALIGNER_RECORD, validated.all)
}

const steps: Record<Prepared, () => Promise<void>> = {
  async python() {
    await python()
  },
  async referees() {
    await installReferees((await python()).path)
  },
  aligner: makeAligner,
  release: () =>
    makeTinyRelease('the tiny model', ['--model', 'tiny', '--keep-intermediate'], RELEASES, RECORD),
  'tiny-aligner': () =>
    makeTinyRelease('the tiny aligner', ['--model', 'tiny-aligner'], TINY_ALIGNERS, TINY_ALIGNER_RECORD),
}

const waiting = new Set<Prepared>(PREPARED)
while (waiting.size > 0) {
  const wished = await firstWished()
  if (wished === undefined) await sleep(POLL_MS)
  else {
    await steps[wished]()
    await tellReady(wished)
    waiting.delete(wished)
  }
}

async function firstWished(): Promise<Prepared | undefined> {
  for (const what of waiting) if (await isWished(what)) return what
  return undefined
}
