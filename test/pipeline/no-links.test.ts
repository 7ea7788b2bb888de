// SPDX-License-Identifier: Apache-2.0

import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { alias } from '../../graph-tools/alias.ts'
import { takeLock } from '../../pipeline/shared/lock.ts'
import { injectNoLinks } from '../helpers/faults.ts'
import { temporaryFolder } from '../helpers/folder.ts'
import { packageHere } from '../helpers/package-here.ts'
import { copyTinyRelease, TINY_NAME } from '../helpers/tiny-release.ts'

describe('on a file system without hard links', () => {
  let end = () => {}
  beforeEach(() => {
    end = injectNoLinks()
  })
  afterEach(() => end())

  it('a release is packaged, and its archive unpacked: names of one file are copies', async () => {
    const model = await copyTinyRelease()
    const graphs = ['encoder.onnx', 'encoder.int4.onnx'].map((name) => join(model, name))
    const [encoder = '', other = ''] = graphs
    await rm(other)
    expect(await alias(encoder, other)).toBe('copy')
    expect((await stat(encoder)).ino).not.toBe((await stat(other)).ino)
    expect((await packageHere([model, '--level', '1'])).exitCode).toBe(0)
    const keep = join(await temporaryFolder(), 'kept')
    const archive = join(model, 'release', `${TINY_NAME}-int4.tar.gz`)
    const verified = await packageHere(['verify', archive, '--keep', keep])
    expect(verified.stdout).toMatch(/int4 transcribes +pass/)
    expect(verified.exitCode).toBe(0)
    const unpacked = await readFile(join(keep, 'unpacked', 'encoder.int4.onnx'))
    expect(unpacked.equals(await readFile(other))).toBe(true)
  })

  it('a lock is held by one run, and taken over when that is gone', async () => {
    const lock = join(await temporaryFolder(), 'lock')
    const release = await takeLock(lock, 'it')
    const line = new RegExp(`^${process.pid} `)
    expect(await readFile(lock, 'utf8')).toMatch(line)
    await expect(takeLock(lock, 'it')).rejects.toThrow(
      `Another run (process ${process.pid}) is working on it.`,
    )
    await release()
    await expect(readFile(lock)).rejects.toThrow('ENOENT')
    await writeFile(lock, '999999999 0') // of a process that is not there
    await (await takeLock(lock, 'it'))()
    await expect(readFile(lock)).rejects.toThrow('ENOENT')
  })
})
