// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { readOwn } from '../../eval/checked-json.ts'
import { walkTree } from '../../eval/dataset/tree.ts'
import { dictionary, type Parsed, shape, text } from '../../eval/runtime/schema.ts'
import { renameOver } from '../../graph-tools/rename-over.ts'

/* The file that records the inputs of a finished stage, and its outputs. */

const STAMP = shape({
  fingerprint: text,
  /** output path, relative to the model directory, to "size time-of-change" when the stage ended */
  outputs: dictionary(text),
})
type Stamp = Parsed<typeof STAMP>

/** sha256 over a stage's inputs, options and tool versions, in a stable spelling. */
export function fingerprintOf(parts: Readonly<Record<string, unknown>>): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}

/**
 * Names, sizes and times of change of the files in a folder and those below.
 * @param path of the folder, or of a file in it
 */
export async function identifyFolder(path: string): Promise<string> {
  const root = (await stat(path)).isFile() ? dirname(path) : path
  const files: unknown[] = []
  for await (const { folder, names } of walkTree(root)) {
    const infos = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)))
    for (const [i, info] of infos.entries())
      files.push([relative(root, join(folder, names[i] ?? '')), info?.size, info?.mtimeMs])
  }
  return fingerprintOf({ files })
}

/** The fingerprint that the stage ended with, whatever has become of its outputs; undefined when it has not ended. */
export async function endedWith(path: string): Promise<string | undefined> {
  return (await readStamp(path))?.fingerprint
}

/** Whether the stage ended with this fingerprint and all its outputs are as it left them. */
export async function isCurrent(path: string, fingerprint: string, root: string): Promise<boolean> {
  const stamp = await readStamp(path)
  if (stamp?.fingerprint !== fingerprint) return false
  for (const [output, wanted] of Object.entries(stamp.outputs)) {
    if ((await sizeAndTime(join(root, output))) !== wanted) return false
  }
  return true
}

/**
 * Record that a stage has ended, with the size and time of each output.
 * @param root the model directory, which outputs are recorded relative to
 */
export async function writeStamp(
  path: string,
  fingerprint: string,
  outputs: readonly string[],
  root: string,
): Promise<void> {
  const entries = await Promise.all(
    outputs.map(async (output) => [relative(root, output), (await sizeAndTime(output)) ?? ''] as const),
  )
  const stamp: Stamp = { fingerprint, outputs: Object.fromEntries(entries) }
  await writeFile(`${path}.partial`, JSON.stringify(stamp, undefined, 1))
  await renameOver(`${path}.partial`, path)
}

/** Remove a stamp, if there is one, so that its stage counts as not finished. */
export async function deleteStamp(path: string): Promise<void> {
  await rm(path, { force: true })
}

/** @returns undefined when it is absent or damaged: the stage runs again */
function readStamp(path: string): Promise<Stamp | undefined> {
  return readOwn(STAMP, path)
}

async function sizeAndTime(path: string): Promise<string | undefined> {
  const info = await stat(path).catch(() => undefined)
  return info && `${info.size} ${info.mtimeMs}`
}
