// SPDX-License-Identifier: Apache-2.0

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { temporaryFolder } from './folder.ts'
import { sharedReleases } from './prepared.ts'

export const TINY_NAME = 'qwen3-asr-tiny'
/**
 * A copy of the tiny model directory with its release.
 * @param parent by default a folder that goes away with the test
 */
export async function copyTinyRelease(parent?: string): Promise<string> {
  const folder = join(parent ?? (await temporaryFolder()), TINY_NAME)
  // links stay links, and times are exact: stamps hold them
  await execa('cp', ['-a', join(await sharedReleases(), TINY_NAME), folder])
  await rm(join(folder, '.work', 'export'), { recursive: true, force: true })
  await rm(join(folder, '.work', 'lock'), { force: true })
  return folder
}

/** Archives and documents in a release's own folder are as its checksums say. */
export async function expectWhole(release: string): Promise<void> {
  await execa('sha256sum', ['-c', '--strict', '--quiet', 'SHA256SUMS'], { cwd: release })
}
