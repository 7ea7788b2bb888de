// SPDX-License-Identifier: Apache-2.0

import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import { applyAdapter } from '../../pipeline/checkpoint/adapter.ts'
import { readCheckpoint } from '../../pipeline/checkpoint/checkpoint.ts'
import { mergeAdapter } from '../../pipeline/checkpoint/merge-adapter.ts'
import { ADAPTERS, tinyOf } from '../helpers/adapters.ts'
import { injectFault } from '../helpers/faults.ts'
import { temporaryFolder } from '../helpers/folder.ts'

async function merging() {
  const folder = await temporaryFolder()
  const base = await tinyOf(folder, 'BF16', false)
  const adapter = join(ADAPTERS, 'plain')
  const file = join(folder, 'merged.safetensors')
  const { adapter: applied } = await applyAdapter(await readCheckpoint(base), adapter, file)
  const { tensors } = applied
  const { signal } = new AbortController()
  const left = async () => (await readdir(folder)).filter((name) => name.startsWith(basename(file)))
  const merge = () => mergeAdapter({ base, adapter, tensors, file, signal, onProgress: () => undefined })
  return { file, left, merge }
}

it('a kill at any time leaves no merged file or all of it, and the next merge is not harmed by what is left', async () => {
  const { file, left, merge } = await merging()
  await merge()
  const whole = await readFile(file)
  const found = new Set<string>()
  for (let at = 1; ; at++) {
    const one = await merging()
    let end = async () => {}
    const stopped = new Promise<boolean>((resolve) => {
      end = injectFault({ kind: 'freeze', at, onFault: () => resolve(true) })
    })
    const isStopped = await Promise.race([stopped, one.merge().then(() => false)])
    await end()
    const names = await one.left()
    found.add(names.join())
    if (names.includes(basename(one.file))) expect((await readFile(one.file)).equals(whole)).toBe(true)
    await one.merge()
    expect((await readFile(one.file)).equals(whole)).toBe(true)
    if (!isStopped) break
  }
  expect([...found].sort()).toEqual(['', 'merged.safetensors', 'merged.safetensors.partial'])
  expect(await left()).toEqual(['merged.safetensors'])
})

it('a full disk at any time is said, and nothing is left of the merge that would fill it', async () => {
  for (const at of [1, 2, 5]) {
    const { left, merge } = await merging()
    const end = injectFault({ kind: 'full', at })
    await expect(merge()).rejects.toMatchObject({ code: 'ENOSPC' })
    await end()
    expect(await left()).toEqual([])
  }
})
