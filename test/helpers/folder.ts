// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, readdir, rm, stat, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** The file system in memory that Linux has; in containers it may be small. */
const IN_MEMORY = '/dev/shm'
const ENOUGH_BYTES = 1 << 29

/** Where files that are written thousands of times are best: a disk takes as long to sync as everything else together. */
export async function quickParent(): Promise<string> {
  const { bavail, bsize } = await statfs(IN_MEMORY).catch(() => ({ bavail: 0, bsize: 0 }))
  return bavail * bsize > ENOUGH_BYTES ? IN_MEMORY : tmpdir()
}

/** A new folder that goes away with the test. */
export async function temporaryFolder(parent = tmpdir()): Promise<string> {
  const path = await mkdtemp(join(parent, 'qwen3-asr-onnx-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Every file below a folder with its size. */
export async function snapshot(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true })
  const infos = await Promise.all(entries.map((name) => stat(join(folder, name))))
  return entries.map((name, i) => `${name} ${infos[i]?.isFile() ? infos[i].size : 'folder'}`).sort()
}
