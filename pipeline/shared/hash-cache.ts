// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { readOwn } from '../../eval/checked-json.ts'
import { hashFile } from '../../eval/hash-file.ts'
import { dictionary, type Parsed, shape, text } from '../../eval/runtime/schema.ts'
import { renameOver } from '../../graph-tools/rename-over.ts'

/** Hashes that are known, by path and algorithm. */
const KNOWN = dictionary(shape({ identity: text, hash: text }))
type Known = Map<string, Parsed<typeof KNOWN>[string]>

interface Options {
  /** a JSON file; several processes may share it */
  readonly cache: string
  readonly algorithm: 'sha256' | 'blake2b512'
  readonly signal?: AbortSignal
  /** called before a file is read whole */
  readonly onRead?: (path: string, bytes: number) => void
  /** called after each file */
  readonly onFile?: (done: number) => void
}

/**
 * Hashes of files by content, in their order. Reading gigabytes takes seconds, so they are kept in `cache` for files that
 * have not changed.
 * @throws the system's error for a file that is not there
 */
export async function hashFiles(paths: readonly string[], options: Options): Promise<string[]> {
  const { cache, algorithm, signal, onRead, onFile } = options
  const known = await readKnown(cache)
  const hashes: string[] = []
  let isNew = false
  for (const path of paths.map((path) => resolve(path))) {
    signal?.throwIfAborted()
    const info = await stat(path, { bigint: true })
    const identity = `${algorithm} ${identityOf(info)}`
    let entry = known.get(path)
    if (entry?.identity !== identity) {
      onRead?.(path, Number(info.size))
      entry = { identity, hash: await hashFile(path, algorithm, signal) }
      known.set(path, entry)
      isNew = true
    }
    hashes.push(entry.hash)
    onFile?.(hashes.length)
  }
  if (isNew) await keep(cache, known)
  return hashes
}

/**
 * What changes with a file's content. Writers may put back the time of the last change (mtime), as cp -p and rsync do; that of
 * the inode (ctime) is the system's alone.
 */
function identityOf({ size, mtimeNs, ctimeNs, dev, ino }: BigIntStats): string {
  return [size, mtimeNs, ctimeNs, dev, ino].join(' ')
}

/** A cache that cannot be read is none: it costs time only. */
async function readKnown(cache: string): Promise<Known> {
  return new Map(Object.entries((await readOwn(KNOWN, cache)) ?? {}))
}

/**
 * Processes that run side by side share the cache: the last one to write wins, which costs time only. So does a folder
 * that cannot be written, as of a model that somebody else owns.
 */
async function keep(cache: string, known: Known): Promise<void> {
  const partial = `${cache}.${randomUUID()}.partial`
  try {
    await mkdir(dirname(cache), { recursive: true })
    await writeFile(partial, JSON.stringify(Object.fromEntries(known)))
    await renameOver(partial, cache)
  } catch {
    await rm(partial, { force: true }).catch(() => undefined)
  }
}
