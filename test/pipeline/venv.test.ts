import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Event } from '../../pipeline/events.ts'
import { findPython } from '../../pipeline/venv.ts'
import { temporaryFolder } from '../helpers/folder.ts'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** A PATH on which python3 (and uv) log what they are asked and make an environment that looks right. */
async function fakeTools(names: readonly string[]): Promise<{ log: () => Promise<string[]>; venv: string }> {
  const folder = await temporaryFolder()
  const bin = join(folder, 'bin')
  const log = join(folder, 'log')
  await mkdir(bin)
  await writeFile(log, '')
  const make = (venv: string) => `mkdir -p "${venv}/bin"; cp "$0" "${venv}/bin/python"`
  const python = `-c*) echo 3.11.9;; "-m venv "*) ${make('$3')};;`
  const uv = `--version*) echo uv 1;; "venv "*) ${make('$5')};;`
  for (const name of names) {
    const script = `#!/bin/sh\necho "${name} $@" >> ${log}\ncase "$*" in ${name === 'uv' ? uv : python} esac\n`
    await writeFile(join(bin, name), script)
    await chmod(join(bin, name), 0o755)
  }
  vi.stubEnv('PATH', `${bin}:/usr/bin:/bin`)
  const installs = async () =>
    (await readFile(log, 'utf8')).split('\n').filter((line) => /venv|pip/.test(line))
  return { log: installs, venv: join(folder, 'venv') }
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
