// SPDX-License-Identifier: Apache-2.0

import { readFile, rename, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashFiles } from '../../pipeline/shared/hash-cache.ts'
import { temporaryFolder } from '../helpers/folder.ts'

/** sha256 of "one" and "two" */
const ONE = '7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed'
const TWO = '3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3'

async function prepare() {
  const folder = await temporaryFolder()
  const [file, cache] = [join(folder, 'file'), join(folder, 'cache', 'hashes.json')]
  await writeFile(file, 'one')
  const hash = async () => (await hashFiles([file], { cache, algorithm: 'sha256' }))[0]
  return { file, cache, hash }
}

describe('hashFiles', () => {
  it('sees a change in place that keeps the size and puts the time back', async () => {
    const { file, hash } = await prepare()
    await utimes(file, 1e9, 1e9)
    expect(await hash()).toBe(ONE)
    await writeFile(file, 'two')
    await utimes(file, 1e9, 1e9)
    expect((await stat(file)).mtimeMs).toBe(1e12)
    expect(await hash()).toBe(TWO)
  })

  it('keeps the hash of a file that has not changed, whatever another file is put in place of it', async () => {
    const { file, cache, hash } = await prepare()
    await hash()
    const kept = await readFile(cache, 'utf8')
    await writeFile(cache, kept.replace(ONE, 'kept'))
    expect(await hash()).toBe('kept')
    await writeFile(`${file}.new`, 'two')
    await rename(`${file}.new`, file)
    expect(await hash()).toBe(TWO)
  })

  it.each(['', '[1]', 'null', '{"x": 1', '{"a": null}', '{"a": {"hash": 1}}'])(
    'a cache of %j is none',
    async (content) => {
      const { cache, hash } = await prepare()
      await hash()
      await writeFile(cache, content)
      expect(await hash()).toBe(ONE)
    },
  )

  it('does not give the hash of another algorithm', async () => {
    const { file, cache, hash } = await prepare()
    await hash()
    const [blake] = await hashFiles([file], { cache, algorithm: 'blake2b512' })
    expect(blake).toHaveLength(128)
  })
})
