// SPDX-License-Identifier: Apache-2.0

import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { parseInstallerLine } from '../../pipeline/python/fetched-package.ts'
import { PIP_CHOICES, UV_CHOICES } from '../../pipeline/python/install-packages.ts'
import { findPython } from '../../pipeline/python/venv.ts'
import { requireSpace } from '../../pipeline/shared/disk-space.ts'
import type { Event } from '../../pipeline/shared/events.ts'
import type { Failure } from '../../pipeline/shared/failure.ts'
import { temporaryFolder } from '../helpers/folder.ts'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

/** A PATH on which python3 (and uv) log what they are asked and make an environment that looks right. */
async function fakeTools(
  names: readonly string[],
  installs = ':',
): Promise<{ log: () => Promise<string[]>; venv: string }> {
  const folder = await temporaryFolder()
  const bin = join(folder, 'bin')
  const log = join(folder, 'log')
  await mkdir(bin)
  await writeFile(log, '')
  const make = (venv: string) => `mkdir -p "${venv}/bin"; cp "$0" "${venv}/bin/python"`
  const python = `-c*) echo 3.11.9;; "-m pip --version"*) echo pip 24.1 from x;; "-m venv "*) ${make('$3')};; *install*) ${installs};;`
  const uv = `--version*) echo uv 1;; "venv "*) ${make('$5')};; *install*) ${installs};;`
  for (const name of names) {
    const script = `#!/bin/sh\necho "${name} $@" >> ${log}\ncase "$*" in ${name === 'uv' ? uv : python} esac\n`
    await writeFile(join(bin, name), script)
    await chmod(join(bin, name), 0o755)
  }
  vi.stubEnv('PATH', `${bin}:/usr/bin:/bin`)
  const installed = async () =>
    (await readFile(log, 'utf8')).split('\n').filter((line) => /venv|pip install/.test(line))
  return { log: installed, venv: join(folder, 'venv') }
}

async function find(venv: string): Promise<string[]> {
  const notes: string[] = []
  const emit = (event: Event) => {
    if (event.event === 'note') notes.push(event.text)
  }
  const { path } = await findPython({ venv, emit, signal: new AbortController().signal })
  expect(path).toBe(join(venv, 'bin', 'python'))
  return notes
}

describe('findPython', () => {
  it('makes the environment once, shows the commands, and remakes it when the requirements have changed', async () => {
    const { log, venv } = await fakeTools(['python3'])
    const notes = await find(venv)
    expect(notes[0]).toMatch(/^Making .*venv from python\/requirements\.txt/)
    expect(notes).toContain(`$ python3 -m venv ${venv}`)
    expect(await log()).toHaveLength(2)

    expect(await find(venv)).toEqual([])
    expect(await log()).toHaveLength(2)

    await writeFile(join(venv, 'requirements.sha256'), 'of other requirements')
    await writeFile(join(venv, 'stale'), '')
    expect((await find(venv)).at(-1)).toMatch(/is ready$/)
    expect(await log()).toHaveLength(4)
    await expect(readFile(join(venv, 'stale'))).rejects.toThrow('ENOENT')
  })

  it('uses uv when it is on PATH', async () => {
    const { log, venv } = await fakeTools(['python3', 'uv'])
    const notes = await find(venv)
    expect(notes).toContain(`$ uv venv --quiet --python python3 ${venv}`)
    expect((await log()).map((line) => line.split(' ').slice(0, 3).join(' '))).toEqual([
      'uv venv --quiet',
      'uv pip install',
    ])
  })

  it('lets one of two runs make it while the other waits', async () => {
    const { log, venv } = await fakeTools(['python3'])
    await Promise.all([find(venv), find(venv)])
    expect(await log()).toHaveLength(2)
  })
})

/** Everything that making an environment says, and how it ends. */
async function making(venv: string, stopAt?: RegExp) {
  const events: Event[] = []
  const stop = new AbortController()
  const emit = (event: Event) => {
    events.push(event)
    if (event.event === 'note' && stopAt?.test(event.text)) stop.abort(new Error('Stopped.'))
  }
  const error = await findPython({ venv, emit, signal: stop.signal }).then(
    () => undefined,
    (error: Error) => error,
  )
  const notes = events.flatMap((event) => (event.event === 'note' ? [event.text] : []))
  return { events, notes, error }
}

/** As if this machine were another. */
function pretend(platform: string, arch: string): void {
  vi.spyOn(process, 'platform', 'get').mockReturnValue(platform as NodeJS.Platform)
  vi.spyOn(process, 'arch', 'get').mockReturnValue(arch as NodeJS.Architecture)
}

describe('making the environment', () => {
  const PIP = [
    'Collecting torch==2.13.0 (from -r requirements.txt (line 3))',
    '  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (29 kB)',
    '  Downloading torch-2.13.0-cp311-cp311-manylinux_2_28_x86_64.whl (888.1 MB)',
    'Progress 262144 of 888100000',
    'Progress 888100000 of 888100000',
    'Installing collected packages: torch, numpy',
  ].join('\\n')

  it('names each package of pip with its size, and its bytes as they come', async () => {
    const { venv, log } = await fakeTools(['python3'], `printf '${PIP}\\n'`)
    const { notes, events, error } = await making(venv)
    expect(error).toBeUndefined()
    expect(notes).toContain('torch 2.13.0, 888 MB')
    expect(notes).toContain('Installing 2 packages')
    expect(events.filter(({ event }) => event === 'progress')).toEqual(
      [262144, 888100000].map((done) => ({
        ...{ event: 'progress', what: 'torch 2.13.0', done, total: 888100000, unit: 'bytes' },
      })),
    )
    expect((await log())[1]).toContain('--progress-bar raw -r')
  })

  it('names each package of uv', async () => {
    const { venv } = await fakeTools(
      ['python3', 'uv'],
      "printf 'Resolved 6 packages in 1s\\nDownloading numpy (16.1MiB)\\n Downloaded numpy\\n' >&2",
    )
    const { notes, events } = await making(venv)
    expect(notes).toContain('numpy, 16.9 MB')
    expect(events).toContainEqual({
      ...{ event: 'progress', what: 'packages', done: 1, total: 1, unit: 'packages' },
    })
  })

  it('says before anything is fetched that Linux x64 gets CUDA, unless somebody has chosen', async () => {
    const cuda = /^On Linux x64 the default torch brings CUDA, several gigabytes\..* PIP_EXTRA_INDEX_URL/
    for (const name of [...PIP_CHOICES, ...UV_CHOICES]) vi.stubEnv(name, '')
    pretend('linux', 'x64')
    const said = await making((await fakeTools(['python3'], `printf '${PIP}\\n'`)).venv)
    const at = said.notes.findIndex((text) => cuda.test(text))
    expect(at).toBeGreaterThan(0)
    expect(said.notes.slice(0, at).join('\n')).not.toContain('888 MB')
    const uv = await making((await fakeTools(['python3', 'uv'])).venv)
    expect(uv.notes.join('\n')).toContain('Ctrl-C, then set UV_TORCH_BACKEND=cpu.')
    vi.stubEnv('PIP_EXTRA_INDEX_URL', 'file:///wheels')
    expect((await making((await fakeTools(['python3'])).venv)).notes.join('\n')).not.toContain('CUDA')
    vi.stubEnv('PIP_EXTRA_INDEX_URL', '')
    pretend('darwin', 'arm64')
    expect((await making((await fakeTools(['python3'])).venv)).notes.join('\n')).not.toContain('CUDA')
  })

  it('leaves nothing behind when it is stopped, and ends the installer', async () => {
    const { venv } = await fakeTools(['python3'], `printf '${PIP}\\n'; exec sleep 60`)
    const started = performance.now()
    const { error } = await making(venv, /^torch/)
    expect(error?.message).toBe('Stopped.')
    expect(performance.now() - started).toBeLessThan(10_000)
    expect(await readdir(join(venv, '..'))).not.toContain('venv')
  })

  it('says that the disk is full, and leaves nothing behind', async () => {
    const words = 'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'
    const { venv } = await fakeTools(['python3'], `echo '${words}'; exit 1`)
    const { error } = await making(venv)
    expect(error?.message).toBe(`The disk is full (making ${venv}).`)
    expect((error as Failure).hint).toContain('TMPDIR')
    expect(await readdir(join(venv, '..'))).not.toContain('venv')
  })

  it('is refused before it begins when the disk is too small', async () => {
    const folder = await temporaryFolder()
    await expect(
      requireSpace(join(folder, 'not', 'there'), 2 ** 62, 'Making .venv', 'Free space there.'),
    ).rejects.toThrow(/^Making \.venv needs \S+ TB in .*there, but only \S+ [kMGT]?B are free\.$/)
    await expect(requireSpace(folder, 1, 'x', '')).resolves.toBeUndefined()
  })
})

describe('a line of an installer', () => {
  it.each([
    [
      'Downloading https://host/w/torch-2.13.0%2Bcpu-cp311-cp311-linux_x86_64.whl (191.5 MB)',
      'torch 2.13.0+cpu',
      191_500_000,
    ],
    [
      '  Downloading nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl (542.9 MB)',
      'nvidia_cublas 13.1.0.3',
      542_900_000,
    ],
    ['  Using cached numpy-2.4.6-cp311-cp311-manylinux_2_28_x86_64.whl (16.9 MB)', 'numpy 2.4.6', 16_900_000],
    ['  Downloading pycparser-3.12-py3-none-any.whl (62 kB)', 'pycparser 3.12', 62_000],
    ['  Downloading sdist-1.0.tar.gz (512 bytes)', 'sdist 1.0', 512],
    ['Downloading torch (846.8MiB)', 'torch', Math.round(846.8 * 2 ** 20)],
    ['Downloading nvidia-cudnn-cu13 (1.2GiB)', 'nvidia-cudnn-cu13', Math.round(1.2 * 2 ** 30)],
  ])('%s', (line, name, bytes) => {
    expect(parseInstallerLine(line)).toEqual({ kind: 'fetching', name, bytes })
  })

  it.each([
    'Collecting torch==2.13.0',
    '  Downloading x-1-py3-none-any.whl.metadata (29 kB)',
    'Prepared 6 packages in 2.77s',
    '',
  ])('that says nothing about bytes: "%s"', (line) => {
    expect(parseInstallerLine(line)).toBeUndefined()
  })
})
