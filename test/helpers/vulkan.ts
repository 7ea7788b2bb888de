// SPDX-License-Identifier: Apache-2.0

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompress } from 'node:zlib'
import { execa } from 'execa'
import { temporaryFolder } from './folder.ts'

/**
 * A Vulkan device in software, for WebGPU: SwiftShader, which is inside the npm package of the tests' browser.
 * @returns the environment of a process that is to find it
 */
export async function softwareVulkan(): Promise<Record<string, string>> {
  if (process.platform !== 'linux') return {} // macOS and Windows have a device of their own
  const folder = await temporaryFolder()
  const package_ = dirname(createRequire(import.meta.url).resolve('@sparticuz/chromium'))
  const packed = await readFile(join(package_, '..', '..', 'bin', 'swiftshader.tar.br'))
  const archive = join(folder, 'swiftshader.tar')
  await writeFile(archive, await promisify(brotliDecompress)(packed))
  await execa('tar', ['-xf', archive, '-C', folder])
  const runtime = join(folder, 'run')
  await mkdir(runtime, { mode: 0o700 })
  return {
    VK_ICD_FILENAMES: join(folder, 'vk_swiftshader_icd.json'),
    LD_LIBRARY_PATH: folder, // with the loader, which a system without Vulkan lacks
    XDG_RUNTIME_DIR: runtime,
  }
}
