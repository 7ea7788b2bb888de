import { cp, link, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from './folder.ts'
import { SHARED_RELEASES } from './places.ts'

export const TINY_NAME = 'qwen3-asr-tiny'
/**
 * A copy of the tiny model directory with its release.
 * @param parent by default a folder that goes away with the test
 */
export async function copyTinyRelease(parent?: string): Promise<string> {
  const folder = join(parent ?? (await temporaryFolder()), TINY_NAME)
  await cp(join(SHARED_RELEASES, TINY_NAME), folder, { recursive: true, preserveTimestamps: true })
  await rm(join(folder, '.work', 'lock'), { force: true })
  for (const place of [folder, join(folder, 'release', TINY_NAME)]) {
    await rm(join(place, 'encoder.int4.onnx'))
    await link(join(place, 'encoder.onnx'), join(place, 'encoder.int4.onnx'))
  }
  return folder
}
