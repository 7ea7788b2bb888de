import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A new folder that goes away with the test. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'qwen3-asr-onnx-'))
  onTestFinished(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Every file below a folder with its size. */
export async function snapshot(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true })
  const infos = await Promise.all(entries.map((name) => stat(join(folder, name))))
  return entries.map((name, i) => `${name} ${infos[i]?.isFile() ? infos[i].size : 'folder'}`).sort()
}
