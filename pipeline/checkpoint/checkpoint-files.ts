// SPDX-License-Identifier: Apache-2.0

import { lstat, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative } from 'node:path'
import { readJsonFile } from '../../eval/runtime/json-file.ts'
import type { JsonObject } from '../../eval/runtime/json-value.ts'
import { irregularKind } from '../../eval/runtime/plain-file.ts'
import { Failure, failing } from '../shared/failure.ts'

const AGAIN = 'Download the checkpoint again.'

/**
 * One of a checkpoint's files: a regular file that lies in its folder. What a link leads to may be anybody's file, which
 * a release would publish; links of a snapshot in the cache of the hub lead to its blobs, and are followed.
 * @param name a file name without a folder
 * @returns its path, or undefined when there is none
 * @throws Failure for anything else than a regular file inside
 */
export async function fileOf(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name)
  const info = await stat(path).catch(() => undefined)
  if (info === undefined) {
    const isThere = (await lstat(path).catch(() => undefined)) !== undefined
    if (isThere) throw new Failure(`${path} is a link that leads nowhere.`, AGAIN)
    return undefined
  }
  const kind = irregularKind(info)
  if (kind !== undefined) throw new Failure(`${path} is ${kind}, wanted a file.`, AGAIN)
  await refuseOutside(folder, path)
  return path
}

/** A JSON file of a checkpoint. @throws Failure as {@link fileOf}, and when it does not hold one object */
export async function readCheckpointJson(folder: string, name: string): Promise<JsonObject | undefined> {
  const path = await fileOf(folder, name)
  return path === undefined ? undefined : readJsonFile(path, failing(AGAIN))
}

/** The names of the files that decide what an export of this checkpoint is, for its fingerprint. */
export async function checkpointFiles(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /\.(json|safetensors|txt)$/.test(name)).sort()
  const infos = await Promise.all(names.map((name) => stat(join(folder, name)).catch(() => undefined)))
  return names.filter((_, i) => infos[i]?.isFile())
}

/**
 * Refuse names of files that are not plain names, such as paths.
 * @throws Failure for a name with which a file would lie elsewhere; `where` says who names it
 */
export function refusePlace(name: string, where: string): void {
  const isPlain = name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name)
  if (isPlain && !/^[A-Za-z]:/.test(name)) return
  throw new Failure(
    `${where} is ${JSON.stringify(name)}, wanted the name of a file in the same folder.`,
    'Shards lie beside config.json; download the checkpoint again.',
  )
}

async function refuseOutside(folder: string, path: string): Promise<void> {
  const [home, target] = await Promise.all([realpath(folder), realpath(path)])
  if (isInside(home, target)) return
  const blobs = await blobsOf(home)
  if (blobs !== undefined && isInside(blobs, target)) return
  throw new Failure(
    `${path} is a link to ${target}, which is outside of the checkpoint's folder.`,
    'Copy the file there; links are followed in the cache of the hub only.',
  )
}

/** Of `models--OWNER--NAME/snapshots/COMMIT` the folder `models--OWNER--NAME/blobs`, where the hub's clients put the content. */
async function blobsOf(folder: string): Promise<string | undefined> {
  const snapshots = dirname(folder)
  const repository = dirname(snapshots)
  if (basename(snapshots) !== 'snapshots' || !basename(repository).startsWith('models--')) return undefined
  return realpath(join(repository, 'blobs')).catch(() => undefined)
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !/^\.\.[/\\]/.test(way) && !isAbsolute(way)
}
