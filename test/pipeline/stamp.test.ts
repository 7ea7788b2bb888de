// SPDX-License-Identifier: Apache-2.0

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { endedWith, isCurrent, writeStamp } from '../../pipeline/stages/stamp.ts'
import { temporaryFolder } from '../helpers/folder.ts'

describe('a stamp', () => {
  it('says that a stage has ended while it is whole, and its outputs are as they were', async () => {
    const root = await temporaryFolder()
    const [stamp, output] = [join(root, 'stamp.json'), join(root, 'out')]
    await writeFile(output, 'made')
    await writeStamp(stamp, 'f', [output], root)
    const whole = await readFile(stamp, 'utf8')
    expect(await isCurrent(stamp, 'f', root)).toBe(true)
    expect(await endedWith(stamp)).toBe('f')
    const size = JSON.parse(whole).outputs
    for (const damage of [
      '',
      whole.slice(0, -4),
      'null',
      '[]',
      '{"fingerprint": "f"}',
      '{"fingerprint": "f", "outputs": []}',
      '{"fingerprint": "f", "outputs": {"out": 4}}',
      JSON.stringify({ fingerprint: ['f'], outputs: size }),
    ]) {
      await writeFile(stamp, damage)
      expect([await isCurrent(stamp, 'f', root), await endedWith(stamp)], damage).toEqual([false, undefined])
    }
    await writeFile(stamp, whole)
    await writeFile(output, 'changed')
    expect([await isCurrent(stamp, 'f', root), await endedWith(stamp)]).toEqual([false, 'f'])
  })
})
