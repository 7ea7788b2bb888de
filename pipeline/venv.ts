import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { execa } from 'execa'
import type { Emit } from './events.ts'
import { Failure } from './failure.ts'
import { takeLock } from './lock.ts'
import { PROJECT } from './models.ts'

const OLDEST = [3, 11] as const
const CANDIDATES = ['python3', 'python3.13', 'python3.12', 'python3.11', 'python']
const REQUIREMENTS = join(PROJECT, 'python', 'requirements.txt')
const STAMP = 'requirements.sha256'
const TAIL_LINES = 8

/** An interpreter that has the requirements, and what identifies its versions. */
export interface Python {
  readonly path: string
  readonly fingerprint: string
}

interface Options {
  /** an interpreter the user prepared */
  readonly python?: string
  /** where to make the environment; the project's .venv by default */
  readonly venv?: string
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * The interpreter to run the scripts with: the given one, or the project's own .venv, which is made on first use
 * and made anew when the requirements change.
 * @throws Failure without Python, with one older than 3.11, or when the installation fails
 */
export async function findPython(options: Options): Promise<Python> {
  if (options.python !== undefined) return prepared(options.python)
  const venv = resolve(options.venv ?? join(PROJECT, '.venv'))
  const path = join(venv, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  const wanted = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
  if ((await installed(venv)) !== wanted) {
    const release = await takeLock(`${venv}.lock`, venv, {
      onWait: () =>
        options.emit({ event: 'note', text: `Waiting for another run that is making ${shown(venv)}` }),
    })
    try {
      if ((await installed(venv)) !== wanted) await make(venv, wanted, path, options)
    } finally {
      await release()
    }
  }
  return { path, fingerprint: wanted }
}

async function installed(venv: string): Promise<string | undefined> {
  return readFile(join(venv, STAMP), 'utf8').catch(() => undefined)
}

function shown(path: string): string {
  return path.startsWith(`${PROJECT}/`) ? relative(PROJECT, path) : path
}

async function prepared(path: string): Promise<Python> {
  const version = await versionOf(path)
  if (version === undefined)
    throw new Failure(`--python ${path} cannot be run.`, 'Give the path of a Python interpreter.')
  requireVersion(path, version)
  const names = (await readFile(REQUIREMENTS, 'utf8')).matchAll(/^([\w.-]+)==/gm)
  const code =
    'import importlib.metadata as m, sys\n' +
    'for name in sys.argv[1:]:\n' +
    '    try: print(name, m.version(name))\n' +
    '    except m.PackageNotFoundError: sys.exit(name)'
  const asked = await execa(path, ['-c', code, ...Array.from(names, ([, name]) => name ?? '')], {
    reject: false,
  })
  if (asked.exitCode !== 0) {
    throw new Failure(
      `--python ${path} lacks the package ${asked.stderr.trim()}.`,
      `Run: ${path} -m pip install -r python/requirements.txt`,
    )
  }
  return { path, fingerprint: asked.stdout }
}

async function make(venv: string, wanted: string, python: string, options: Options): Promise<void> {
  const base = await systemPython()
  await rm(venv, { recursive: true, force: true })
  const uv = await execa('uv', ['--version'], { reject: false })
  const steps =
    uv.exitCode === 0
      ? [
          ['uv', 'venv', '--quiet', '--python', base, venv],
          ['uv', 'pip', 'install', '--quiet', '--python', python, '-r', REQUIREMENTS],
        ]
      : [
          [base, '-m', 'venv', venv],
          [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS],
        ]
  options.emit({
    event: 'note',
    text: `Making ${shown(venv)} from python/requirements.txt (torch, transformers: a few minutes)`,
  })
  for (const [command = '', ...args] of steps) await install(command, args, options)
  await writeFile(join(venv, STAMP), wanted)
  options.emit({ event: 'note', text: `${shown(venv)} is ready` })
}

async function install(command: string, args: readonly string[], { emit, signal }: Options): Promise<void> {
  emit({ event: 'note', text: `$ ${[command, ...args].join(' ').replaceAll(`${PROJECT}/`, '')}` })
  const run = await execa(command, args, { reject: false, all: true, cancelSignal: signal, cwd: PROJECT })
  if (run.isCanceled) throw signal.reason
  if (run.exitCode === 0) return
  const tail = (run.all ?? run.shortMessage ?? '').trim().split('\n').slice(-TAIL_LINES).join('\n')
  throw new Failure(
    `Installing the Python packages failed (${command}, exit code ${run.exitCode ?? 'none'}):\n${tail}`,
    'Check the network, then run the same command again; or prepare an interpreter yourself and pass --python PATH.',
  )
}

async function systemPython(): Promise<string> {
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
