// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import * as v from 'valibot'
import { dictionary, text } from '../../eval/runtime/schema.ts'
import { checkedText } from '../shared/checked.ts'
import type { Emit } from '../shared/events.ts'
import { Failure } from '../shared/failure.ts'
import { takeLock } from '../shared/lock.ts'
import { VENV } from '../shared/own-places.ts'
import { requireWritable } from '../shared/writable.ts'
import { installPackages, shown } from './install-packages.ts'
import { pinnedVersions, REQUIREMENTS } from './pinned-versions.ts'

const OLDEST = [3, 11] as const
const CANDIDATES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python']
const STAMP = 'requirements.sha256'
/** Says that we made the folder, so that we may delete it. */
const MARK = 'made-by-qwen3-asr-onnx'

/** An interpreter that has the requirements, and what identifies its versions. */
export interface Python {
  readonly path: string
  readonly fingerprint: string
}

interface Options {
  /** an interpreter the user prepared */
  readonly python?: string
  /** where to make the environment; the checkout's .venv by default, or one in the cache folder of the user of the installed program */
  readonly venv?: string
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * The interpreter to run the scripts with: the given one, or the project's own .venv, which is made on first use
 * and made again when the requirements change.
 * @throws Failure without Python, with one older than 3.11, or when the installation fails
 */
export async function findPython(options: Options): Promise<Python> {
  if (options.python !== undefined) return prepared(options.python)
  const venv = resolve(options.venv ?? VENV)
  const path = join(venv, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  const wanted = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
  if (!(await isReady(venv, path, wanted))) {
    const what = options.venv === undefined ? 'The folder' : '--venv'
    const remedy = 'Name another folder with --venv, or prepare an interpreter and pass --python PATH.'
    await requireWritable(venv, what, remedy)
    const release = await takeLock(`${venv}.lock`, venv, {
      signal: options.signal,
      onWait: () =>
        options.emit({ event: 'note', text: `Waiting for another run that is making ${shown(venv)}` }),
    })
    try {
      if (!(await isReady(venv, path, wanted))) await make(venv, wanted, path, options)
    } finally {
      await release()
    }
  }
  return { path, fingerprint: wanted }
}

/** The stamp matches and the interpreter still runs (an upgrade of the system's Python may have removed it). */
async function isReady(venv: string, path: string, wanted: string): Promise<boolean> {
  const stamp = await readFile(join(venv, STAMP), 'utf8').catch(() => undefined)
  return stamp === wanted && (await versionOf(path)) !== undefined
}

/** Only what we made may be deleted: a folder with anything else in it is the user's. */
async function removeOld(venv: string): Promise<void> {
  const names: string[] = await readdir(venv).catch(() => [])
  if (names.length > 0 && venv !== VENV && !names.includes(MARK)) {
    throw new Failure(
      `--venv ${venv} is not empty and was not made by this pipeline, so it is not replaced.`,
      'Name a new folder; or pass the interpreter of a prepared environment to --python.',
    )
  }
  await rm(venv, { recursive: true, force: true })
}

async function prepared(path: string): Promise<Python> {
  const version = await versionOf(path)
  if (version === undefined)
    throw new Failure(`--python ${path} cannot be run.`, 'Give the path of a Python interpreter.')
  requireVersion(path, version)
  const wanted = await pinnedVersions()
  const asked = await execa(path, ['-c', ASK_VERSIONS, ...wanted.keys()])
  const found = checkedText(VERSIONS, asked.stdout, {
    file: `The answer of --python ${path}`,
    hint: 'Name an interpreter that prints nothing when it starts: check its sitecustomize.py.',
  })
  for (const [name, pin] of wanted) {
    const version = found[name]?.replace(/\+.*/, '') // 2.13.0+cpu is a build of 2.13.0
    if (version === pin) continue
    throw new Failure(
      `--python ${path} has ${version ? `${name} ${version}` : `no ${name}`}, wanted ${name}==${pin}.`,
      `Run: ${path} -m pip install -r ${shown(REQUIREMENTS)}`,
    )
  }
  return { path, fingerprint: asked.stdout }
}

const VERSIONS = dictionary(v.nullable(text))
const ASK_VERSIONS = `
import importlib.metadata, json, sys
found = {}
for name in sys.argv[1:]:
    try: found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError: found[name] = None
print(json.dumps(found))`

/** What is left of an installation that failed or was stopped is removed: it may be gigabytes. */
async function make(venv: string, wanted: string, python: string, options: Options): Promise<void> {
  const base = await systemPython()
  await removeOld(venv)
  try {
    await installPackages(venv, base, python, options)
    await writeFile(join(venv, MARK), '')
    await writeFile(join(venv, STAMP), wanted)
  } catch (error) {
    await rm(venv, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
    throw error
  }
  options.emit({ event: 'note', text: `${shown(venv)} is ready` })
}

/**
 * A Python on PATH that is recent enough.
 * @throws Failure naming what was found
 */
export async function systemPython(): Promise<string> {
  const found: string[] = []
  for (const name of CANDIDATES) {
    const version = await versionOf(name)
    if (version === undefined) continue
    if (isRecent(version)) return name
    found.push(`${name} ${version.join('.')}`)
  }
  const wanted = `wanted ${OLDEST.join('.')} or newer`
  throw new Failure(
    found.length > 0 ? `Found ${found.join(', ')}; ${wanted}.` : `There is no Python on PATH; ${wanted}.`,
    'Install Python 3.11 (Debian: apt-get install python3-venv), or pass --python PATH.',
  )
}

async function versionOf(python: string): Promise<number[] | undefined> {
  const asked = await execa(python, ['-c', 'import sys; print(*sys.version_info[:3], sep=".")'], {
    reject: false,
  })
  return asked.exitCode === 0 ? asked.stdout.trim().split('.').map(Number) : undefined
}

function requireVersion(path: string, version: readonly number[]): void {
  if (isRecent(version)) return
  throw new Failure(
    `--python ${path} is Python ${version.join('.')}, wanted ${OLDEST.join('.')} or newer.`,
    'Give a newer interpreter, or leave --python out to let the pipeline make .venv.',
  )
}

function isRecent([major = 0, minor = 0]: readonly number[]): boolean {
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}
