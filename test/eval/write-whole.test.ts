// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { writeWhole } from '../../eval/dataset/write-whole.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const held = async () => {
  throw Object.assign(new Error('EPERM: operation not permitted, rename'), { code: 'EPERM' })
}

it('writes in folders that are not there, over what is there, and leaves nothing beside it', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'a', 'b.json')
  await writeWhole(path, 'one')
  await writeWhole(path, new Uint8Array([0xe2, 0x9c, 0x93]))
  expect(await readFile(path, 'utf8')).toBe('✓')
  expect(await readdir(join(folder, 'a'))).toEqual(['b.json'])
})

it('is content with the same file of another run that somebody reads, and with no other', async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'b.json')
  await expect(writeWhole(path, '✓', held)).rejects.toThrow('EPERM')
  await writeFile(path, '✓')
  await writeWhole(path, '✓', held)
  await expect(writeWhole(path, 'longer', held)).rejects.toThrow('EPERM')
  expect(await readdir(folder)).toEqual(['b.json'])
})
