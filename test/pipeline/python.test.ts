// SPDX-License-Identifier: Apache-2.0

import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { PROJECT } from '../../eval/runtime/project.ts'
import { readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { runPython } from '../../pipeline/python/run-python.ts'
import { TINY } from '../helpers/checkpoint.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { stagePython } from '../helpers/prepared.ts'

async function prepare() {
  const folder = await temporaryFolder()
  const checkpoint = join(folder, 'checkpoint.json')
  await writeFile(checkpoint, JSON.stringify(await readCheckpoint(TINY)))
  const out = join(folder, 'out')
  await mkdir(out)
  const log = join(folder, 'log')
  const options = {
    python: await stagePython(),
    log,
    signal: new AbortController().signal,
    onProgress: () => {},
  }
  return { out, log, options, args: ['--checkpoint', checkpoint, '--out', out] }
}

describe('runPython', () => {
  it('names a full disk under the script, without a traceback', async () => {
    const { out, log, options, args } = await prepare()
    await symlink('/dev/full', join(out, 'decoder.data')) // every write to it fails with ENOSPC
    await expect(runPython('export/export.py', [...args, '--skip-encoder'], options)).rejects.toMatchObject({
      message: expect.stringMatching(/^The disk is full: .*No space left on device/),
      hint: 'Free space, then run the same command again.',
    })
    expect(await readFile(log, 'utf8')).not.toContain('Traceback')
  })

  it('passes on what the script found wrong', async () => {
    const { options, args } = await prepare()
    await expect(
      runPython('export/export.py', [...args, '--device', 'cuda:7'], options),
    ).rejects.toMatchObject({
      message: expect.stringMatching(/^--device cuda:7 cannot be used with torch 2\.13\.0/),
      hint: 'Use --device cpu.',
    })
  })

  it('shows the last words of a script that crashed, and where all of them are', async () => {
    const { log, options } = await prepare()
    await expect(runPython('no_such_script.py', [], options)).rejects.toMatchObject({
      message: expect.stringMatching(/^python\/no_such_script\.py ended with exit code 2:\n.*No such file/),
      hint: `The whole output is in ${log}.`,
    })
  })
})

it.each(['bench/bench_decode.py', 'export/export.py', 'quantize/quantize.py'])(
  '%s finds its modules, wherever it is started from',
  async (script) => {
    const args = [join(PROJECT, 'python', script), '--help']
    const { all } = await execa(await stagePython(), args, { cwd: await temporaryFolder(), all: true })
    expect(all).toMatch(/^usage: /m) // protocol.py keeps stdout for events
  },
)
