// SPDX-License-Identifier: Apache-2.0

import { appendFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fingerprintVariants } from '../../pipeline/evaluate/fingerprint.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

it('a variant is the same one whichever others are beside it, and another one for other values or files', async () => {
  const model = await copyTinyRelease()
  const config = join(model, 'config.json')
  const original = await readFile(config, 'utf8')
  const fingerprint = () => fingerprintVariants({ model, work: join(model, '.work') }, ['fp32', 'int4'])
  const edited = async (edit: (config: { [key: string]: { [key: string]: unknown } }) => void) => {
    const content = JSON.parse(original)
    edit(content)
    await writeFile(config, JSON.stringify(content))
    return fingerprint()
  }
  const before = await fingerprint()
  expect(before['fp32']).not.toBe(before['int4'])

  const withOthers = await edited(({ decoder, quantization = {} }) => {
    const fused = decoder?.['fused'] as { graphs: string[] }
    fused.graphs.push('decoder.q8.onnx')
    quantization['decoder.q8'] = 'int8'
  })
  expect(withOthers).toEqual(before)

  const withOther = await edited(({ decoder = {} }) => {
    decoder['rope_theta'] = 12345
  })
  expect(withOther['fp32']).not.toBe(before['fp32'])
  expect(withOther['int4']).not.toBe(before['int4'])

  await writeFile(config, original)
  expect(await fingerprint()).toEqual(before)
  await appendFile(join(model, 'decoder.int4.onnx'), '\x00')
  const after = await fingerprint().catch(() => ({ fp32: before['fp32'], int4: 'refused' }))
  expect(after).toMatchObject({ fp32: before['fp32'] })
  expect(after['int4']).not.toBe(before['int4'])
})
