// SPDX-License-Identifier: Apache-2.0

import { stat } from 'node:fs/promises'
import { dirname, relative, sep } from 'node:path'
import { execa } from 'execa'
import { endWithUs, HAS_GROUPS } from '../../eval/runtime/children.ts'
import { IS_CHECKOUT, PROJECT } from '../../eval/runtime/project.ts'
import { requireSpace } from '../shared/disk-space.ts'
import type { Emit } from '../shared/events.ts'
import { Failure } from '../shared/failure.ts'
import { formatBytes } from '../shared/output-files.ts'
import { parseInstallerLine } from './fetched-package.ts'
import { REQUIREMENTS } from './pinned-versions.ts'

const TAIL_LINES = 8
/** What the packages take on the disk: measured with the CPU build; the CUDA build brings libraries of several gigabytes. */
const CPU_BYTES = 1.5e9
const CUDA_BYTES = 7e9
/** A user who sets one of these has chosen the source of torch. */
export const UV_CHOICES = [
  ...['UV_TORCH_BACKEND', 'UV_INDEX', 'UV_DEFAULT_INDEX', 'UV_INDEX_URL', 'UV_EXTRA_INDEX_URL'],
  ...['UV_FIND_LINKS', 'UV_OFFLINE'],
]
/** The same where pip installs. */
export const PIP_CHOICES = ['PIP_EXTRA_INDEX_URL', 'PIP_INDEX_URL', 'PIP_FIND_LINKS', 'PIP_NO_INDEX']

interface Options {
  readonly emit: Emit
  readonly signal: AbortSignal
}

/**
 * Make a virtual environment and install the requirements, and say which packages come and how large they are.
 * @param base the interpreter to make it of
 * @param python the interpreter in it
 * @throws Failure when the disk is too small, or the installer's last words
 */
export async function installPackages(
  venv: string,
  base: string,
  python: string,
  options: Options,
): Promise<void> {
  const uv = await execa('uv', ['--version'], { reject: false })
  const isUv = uv.exitCode === 0
  const make = isUv ? ['uv', 'venv', '--quiet', '--python', base, venv] : [base, '-m', 'venv', venv]
  options.emit({
    event: 'note',
    text: `Making ${shown(venv)} from ${shown(REQUIREMENTS)} (torch, transformers: a few minutes)`,
  })
  await runInstaller(make, venv, options)
  await announceTorch(venv, isUv ? undefined : python, options)
  const install = isUv
    ? ['uv', 'pip', 'install', '--python', python]
    : [python, '-m', 'pip', 'install', '--disable-pip-version-check', ...(await progressBar(python))]
  await runInstaller([...install, '-r', REQUIREMENTS], venv, options)
}

/** The torch of the public index brings CUDA on Linux x64; who wants the CPU build should know before gigabytes come. */
async function announceTorch(venv: string, pip: string | undefined, { emit }: Options): Promise<void> {
  const bringsCuda = await wouldBringCuda(pip)
  const remedy =
    pip === undefined
      ? 'set UV_TORCH_BACKEND=cpu'
      : 'set PIP_EXTRA_INDEX_URL to the index that pytorch.org/get-started names for the CPU build'
  if (bringsCuda) {
    emit({
      event: 'note',
      text: `On Linux x64 the default torch brings CUDA, several gigabytes. For the CPU build, which is enough here: Ctrl-C, then ${remedy}.`,
    })
  }
  const bytes = bringsCuda ? CUDA_BYTES : CPU_BYTES
  const hint = `Free space there, or name another folder with --venv.${bringsCuda ? ` The CPU build needs ${formatBytes(CPU_BYTES)}: ${remedy}.` : ''}`
  await requireSpace(dirname(venv), bytes, `Making ${shown(venv)}`, hint)
}

/** @param pip undefined for uv */
async function wouldBringCuda(pip: string | undefined): Promise<boolean> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return false
  if ((pip === undefined ? UV_CHOICES : PIP_CHOICES).some((name) => process.env[name])) return false
  if (pip === undefined) return true
  const configured = await execa(pip, ['-m', 'pip', 'config', 'list'], { reject: false })
  return !/index-url|find-links|no-index/.test(configured.stdout)
}

/** Bytes as they come, where pip (24.1 or newer) can say them without a terminal. */
async function progressBar(python: string): Promise<string[]> {
  const { stdout } = await execa(python, ['-m', 'pip', '--version'], { reject: false })
  const [, major = 0, minor = 0] = (/^pip (\d+)\.(\d+)/.exec(stdout) ?? []).map(Number)
  return ['--progress-bar', major > 24 || (major === 24 && minor >= 1) ? 'raw' : 'off']
}

async function runInstaller(
  [command = '', ...args]: readonly string[],
  venv: string,
  { emit, signal }: Options,
): Promise<void> {
  emit({ event: 'note', text: `$ ${[command, ...args].map(shown).join(' ')}` })
  const options = {
    ...({ reject: false, all: true, cancelSignal: signal, cwd: PROJECT, detached: HAS_GROUPS } as const),
    env: { PYTHONUNBUFFERED: '1' },
  } as const
  const child = execa(command, args, options)
  endWithUs(child, { isGroup: HAS_GROUPS }) // builds of packages are children of the installer
  await tellLines(child.iterable({ from: 'all' }), emit)
  const run = await child
  if (run.isCanceled) throw signal.reason
  if (run.exitCode === 0) return
  const output = (run.all ?? run.shortMessage ?? '').trim()
  if (/no space left on device|disk quota exceeded|os error 28\b/i.test(output)) throw fullDisk(venv)
  const lines = output.split('\n').filter((line) => !line.startsWith('Progress '))
  throw new Failure(
    `Installing the Python packages failed (${command}, exit code ${run.exitCode ?? 'none'}):\n${lines.slice(-TAIL_LINES).join('\n')}`,
    'Check the network, then run the same command again; or prepare an interpreter yourself and pass --python PATH.',
  )
}

/** Name each package with its size as it comes. */
async function tellLines(lines: AsyncIterable<string>, emit: Emit): Promise<void> {
  let name = ''
  const packages = { done: 0, total: 0 }
  const count = () => emit({ event: 'progress', what: 'packages', ...packages, unit: 'packages' })
  for await (const line of lines) {
    const said = parseInstallerLine(line)
    if (said?.kind === 'bytes') {
      emit({ event: 'progress', what: name, done: said.done, total: said.total, unit: 'bytes' })
    } else if (said?.kind === 'fetching' || said?.kind === 'local') {
      ;({ name } = said)
      const bytes =
        said.kind === 'fetching' ? said.bytes : (await stat(said.path).catch(() => undefined))?.size
      emit({ event: 'note', text: `${name}${bytes === undefined ? '' : `, ${formatBytes(bytes)}`}` })
      packages.total++
    } else if (said?.kind === 'fetched') {
      packages.done++
      count()
    } else if (said?.kind === 'installing') {
      emit({ event: 'note', text: `Installing ${said.packages} packages` })
    }
  }
}

function fullDisk(venv: string): Failure {
  return new Failure(
    `The disk is full (making ${shown(venv)}).`,
    'Free space there and in the temporary folder (TMPDIR), or name another folder with --venv; then run the same command again.',
  )
}

/** A path for messages: relative to the project in a checkout. */
export function shown(path: string): string {
  return IS_CHECKOUT && path.startsWith(`${PROJECT}${sep}`) ? relative(PROJECT, path) : path
}
