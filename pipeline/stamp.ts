import { createHash } from 'node:crypto'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PROJECT } from './models.ts'

/** Inputs up to this size are fingerprinted by content, larger ones by size and time of change. */
const CONTENT_LIMIT = 16 << 20

interface Stamp {
  readonly fingerprint: string
  /** output path to "size time-of-change" when the stage ended */
  readonly outputs: Readonly<Record<string, string>>
}

/** sha256 over a stage's inputs, options and tool versions, in a stable spelling. */
export function fingerprintOf(parts: Readonly<Record<string, unknown>>): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/** What identifies a file: its content, or for large ones size and time of change. */
export async function identify(path: string): Promise<string> {
  const info = await stat(path)
  if (info.size > CONTENT_LIMIT) return `${info.size} ${info.mtimeMs}`
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

/** sha256 over the project's own sources in `folders`: a changed program makes stale results. */
export async function identifySources(folders: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of folders) {
    for (const name of (await readdir(join(PROJECT, folder))).sort()) {
      if (!/\.(ts|py|txt)$/.test(name)) continue
      hash.update(name).update(await readFile(join(PROJECT, folder, name)))
    }
  }
  return hash.digest('hex')
}

/** Whether the stage ended with this fingerprint and all its outputs are as it left them. */
export async function isCurrent(path: string, fingerprint: string): Promise<boolean> {
  const stamp = await readStamp(path)
  if (stamp?.fingerprint !== fingerprint) return false
  for (const [output, wanted] of Object.entries(stamp.outputs)) {
    if ((await sizeAndTime(output)) !== wanted) return false
  }
  return true
}

export async function writeStamp(
  path: string,
  fingerprint: string,
  outputs: readonly string[],
): Promise<void> {
  const entries = await Promise.all(
    outputs.map(async (output) => [output, (await sizeAndTime(output)) ?? ''] as const),
  )
  const stamp: Stamp = { fingerprint, outputs: Object.fromEntries(entries) }
  await writeFile(`${path}.partial`, JSON.stringify(stamp, undefined, 1))
  await rename(`${path}.partial`, path)
}

export async function deleteStamp(path: string): Promise<void> {
  await rm(path, { force: true })
}

async function readStamp(path: string): Promise<Stamp | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return undefined // absent or cut off: the stage runs again
  }
}

async function sizeAndTime(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined)
  return info && `${info.size} ${info.mtimeMs}`
}
