// SPDX-License-Identifier: Apache-2.0

import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { keptPasses } from '../../pipeline/stages/kept-passes.ts'
import { builtModule } from '../helpers/commands.ts'
import { temporaryFolder } from '../helpers/folder.ts'

const passes = (folder: string, about: string, killAt = 0) =>
  execa(process.execPath, [builtModule('test/helpers/killed-passes.ts'), folder, about, String(killAt)], {
    reject: false,
  })

it('passes that have ended outlive a kill, and what is made of other things is not taken', async () => {
  const folder = join(await temporaryFolder(), 'passes')
  expect((await passes(folder, 'one', 3)).signal).toBe('SIGKILL')
  const results = [10, 20, 30]
  expect(JSON.parse((await passes(folder, 'one')).stdout)).toEqual({ made: [3], results })
  expect(JSON.parse((await passes(folder, 'one')).stdout)).toEqual({ made: [], results })
  expect(JSON.parse((await passes(folder, 'other')).stdout)).toEqual({ made: [1, 2, 3], results })
})

it('a damaged file counts as none, NaN is never kept, and the end leaves what was used', async () => {
  const parent = await temporaryFolder()
  const kept = keptPasses(join(parent, 'passes'), {})
  const made: string[] = []
  const pass = (name: string, value: number) =>
    kept.pass({ name }, async () => {
      made.push(name)
      return { value }
    })
  await pass('a', 1)
  const [file = ''] = await readdir(join(parent, 'passes'))
  await writeFile(join(parent, 'passes', file), '{"result": {"value"')
  expect([await pass('a', 1), await pass('a', 2)]).toEqual([{ value: 1 }, { value: 1 }])
  await pass('b', Number.NaN)
  await pass('b', Number.NaN)
  expect(made).toEqual(['a', 'a', 'b', 'b'])
  await writeFile(join(parent, 'passes', 'of-an-older-run.json'), '{"result": {}}')
  await kept.end()
  expect(await readdir(join(parent, 'passes'))).toEqual([file])
  await kept.clear()
  expect(await readdir(parent)).toEqual([])
})
