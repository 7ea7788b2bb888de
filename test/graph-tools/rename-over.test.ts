// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { renameOver } from '../../graph-tools/rename-over.ts'
import { temporaryFolder } from '../helpers/folder.ts'

/** As Windows: the first attempts fail while another process has the file open. */
function heldFor(attempts: number, code: string) {
  let made = 0
  const move = async () => {
    if (made++ < attempts) throw Object.assign(new Error(code), { code })
  }
  return { move, count: () => made }
}

it('replaces a file', async () => {
  const folder = await temporaryFolder()
  const [a = '', b = ''] = ['a', 'b'].map((name) => join(folder, name))
  await writeFile(a, 'new')
  await writeFile(b, 'old')
  await renameOver(a, b)
  expect(await readFile(b, 'utf8')).toBe('new')
  await expect(renameOver(a, b, { holdsOpenFiles: true })).rejects.toMatchObject({ code: 'ENOENT' })
})

it.each(['EACCES', 'EPERM', 'EBUSY'])('tries again on Windows while %s', async (code) => {
  const held = heldFor(3, code)
  await renameOver('a', 'b', { holdsOpenFiles: true, move: held.move })
  expect(held.count()).toBe(4)
})

it('gives up after three seconds, and at once on other systems', async () => {
  const held = heldFor(Number.POSITIVE_INFINITY, 'EPERM')
  await expect(renameOver('a', 'b', { holdsOpenFiles: true, move: held.move })).rejects.toThrow('EPERM')
  expect(held.count()).toBeGreaterThan(10)
  const posix = heldFor(1, 'EPERM')
  await expect(renameOver('a', 'b', { holdsOpenFiles: false, move: posix.move })).rejects.toThrow('EPERM')
  expect(posix.count()).toBe(1)
})
