// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto'
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Write a file of a cache beside its place and rename it there: a kill leaves no half of it. Others may write the same
 * meanwhile; on Windows a file that they read cannot be replaced, and need not be.
 * @param move rename(2); for tests
 * @throws the system's error when the file is not there afterwards
 */
export async function writeWhole(path: string, content: string | Uint8Array, move = rename): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`
  await mkdir(dirname(path), { recursive: true })
  await writeFile(partial, content)
  try {
    await move(partial, path)
  } catch (error) {
    const info = await stat(path).catch(() => undefined)
    await rm(partial, { force: true })
    if (info?.isFile() !== true || info.size !== Buffer.byteLength(content)) throw error
  }
}
