// SPDX-License-Identifier: Apache-2.0

import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { openRelease } from '../../eval/runtime/release.ts'
import { usualVariant } from '../../eval/runtime/usual-variant.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'
import { runCli } from '../helpers/cli.ts'
import { builtModule } from '../helpers/commands.ts'
import { copyTinyRelease } from '../helpers/tiny-release.ts'
import { softwareVulkan } from '../helpers/vulkan.ts'

/** A release with fp16: its decoder is FP32's under that name, for what is asked is which is taken. */
async function withFp16(): Promise<string> {
  const folder = await copyTinyRelease()
  await copyFile(join(folder, 'decoder.onnx'), join(folder, 'decoder.fp16.onnx'))
  return folder
}

it('fp16 is taken where a device computes in float16, and never on the processor', async () => {
  const release = await openRelease(await withFp16(), 'asr')
  const names = await Promise.all(
    ['cpu', 'cuda', 'dml', 'coreml', 'none'].map(
      async (provider) => (await usualVariant(release, provider)).name,
    ),
  )
  expect(names).toEqual(['int4', 'fp16', 'fp16', 'fp16', 'int4'])
})

it('int4 is taken on a device of webgpu without float16, which transcribes', async () => {
  const folder = await withFp16()
  const args = [join(BUNDLED_SPEECH, 'held-out-000.flac'), '--model-dir', folder, '--format', 'json']
  const env = await softwareVulkan()
  const { stdout, stderr, exitCode } = await runCli([...args, '--provider', 'webgpu'], env, 'transcribe')
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 })
  const { variant, text } = JSON.parse(stdout)
  expect(text).toBe('One seven zero two nine two.')
  if (process.platform === 'linux') expect(variant).toBe('int4')
})

it('a device is not asked where the release has no fp16, and one that cannot be asked has no float16', async () => {
  const module = builtModule('test/helpers/asked-devices.ts')
  const run = async (folder: string, env: Record<string, string>) => {
    const { stdout } = await execa(process.execPath, [module, folder], { env })
    return JSON.parse(stdout)
  }
  const nothing = { VK_ICD_FILENAMES: '/none', VK_DRIVER_FILES: '/none' } // no driver, so no adapter
  expect(await run(await copyTinyRelease(), nothing)).toEqual({ variant: 'int4', children: 0 })
  if (process.platform !== 'linux') return
  expect(await run(await withFp16(), nothing)).toEqual({ variant: 'int4', children: 2 }) // the guard of children is one
})
