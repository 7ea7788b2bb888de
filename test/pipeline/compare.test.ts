// SPDX-License-Identifier: Apache-2.0

import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { runCli } from '../helpers/cli.ts'
import { eventsOf } from '../helpers/events.ts'
import { bundledRows } from '../helpers/speech-parquet.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'

/** NaN in IEEE 754 half precision. */
const NAN16 = 0x7e00

it('compare fails on values that are not finite, names them, and shows all paths', async () => {
  const model = await copyTinyRelease()
  await rm(join(model, '.work'), { recursive: true }) // so that no PyTorch runs
  const table = join(model, 'embed_tokens.bin')
  const bytes = Buffer.alloc((await stat(table)).size)
  for (let i = 0; i < bytes.length; i += 2) bytes.writeUInt16LE(NAN16, i)
  await writeFile(table, bytes)
  const [row] = await bundledRows(1)
  const audio = join(BUNDLED_SPEECH, row?.file ?? '')
  const args = ['--model-dir', model, '--threads', '1', '--audio', audio, '--json']
  const ended = await runCli(args, {}, 'compare')
  const message = 'ONNX fp32: The decoder computed NaN as its largest logit, wanted a finite number.'
  expect(ended.exitCode).toBe(3)
  const [note, { paths }, failure] = eventsOf(ended.stdout)
  expect(note.text).toMatch(/^Without --checkpoint there is no PyTorch to compare with/)
  expect(failure).toMatchObject({
    event: 'failure',
    message: `The comparison failed: ${audio}: ${message} 1 more checks failed.`,
    exitCode: 3,
  })
  expect(paths.map(({ problems }: { problems: string[] }) => problems)).toEqual([
    [message],
    [message.replace('fp32', 'int4')],
  ])
})
