import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { hashFile } from '../eval/hash-file.ts'

/** Hashes that are known, by path; a changed file has another size, time or inode. */
type Known = Record<string, { readonly identity: string; readonly hash: string }>

interface Options {
  /** a JSON file; several processes may share it */
  readonly cache: string
  readonly algorithm: 'sha256' | 'blake2b512'
  readonly signal?: AbortSignal
  /** told after each file */
  readonly onFile?: (done: number) => void
}

/**
 * Hashes of files by content, in their order. Reading gigabytes takes seconds, so they are kept in `cache` for files that
 * have not changed.
 * @throws the system's error for a file that is not there
 */
export async function hashFiles(paths: readonly string[], options: Options): Promise<string[]> {
  const { cache, algorithm, signal, onFile } = options
  const known: Known = await readFile(cache, 'utf8').then(JSON.parse, () => ({}))
  const hashes: string[] = []
  let isNew = false
  for (const path of paths.map((path) => resolve(path))) {
    signal?.throwIfAborted()
    const { size, mtimeMs, ino } = await stat(path)
    const identity = `${size} ${mtimeMs} ${ino}`
    if (known[path]?.identity !== identity) {
      known[path] = { identity, hash: await hashFile(path, algorithm, signal) }
      isNew = true
    }
    hashes.push(known[path]?.hash ?? '')
    onFile?.(hashes.length)
  }
  if (isNew) await keep(cache, known)
  return hashes
}

/** Processes that run side by side share the cache: the last one to write wins, which costs time only. */
async function keep(cache: string, known: Known): Promise<void> {
  const partial = `${cache}.${randomUUID()}.partial`
  await mkdir(dirname(cache), { recursive: true })
  await writeFile(partial, JSON.stringify(known))
  await rename(partial, cache)
}
