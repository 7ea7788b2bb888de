// SPDX-License-Identifier: Apache-2.0

import { readdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, parse, resolve, sep } from 'node:path'

/* Audio files by the names that manifests have for them. */

/** Where Common Voice and LJ Speech keep what their tables name. */
const SUBFOLDERS = ['clips', 'wavs']

/** Finds files by the names that a manifest has. */
export type Locate = (folder: string, file: string) => Promise<string | undefined>

/**
 * A finder that keeps the names of the folders that it has read. A name is taken as it stands, with `\` for `/`, with `~` for the
 * home, in `clips` or `wavs`; and composed or decomposed, since a Mac copies names in another form than manifests have.
 */
export function makeLocate(): Locate {
  const folders = new Map<string, Promise<ReadonlyMap<string, string>>>()
  const namesIn = (folder: string) => {
    const known = folders.get(folder) ?? readNames(folder)
    folders.set(folder, known)
    return known
  }
  return async (folder, file) => {
    const candidates = candidatesOf(folder, file)
    for (const path of candidates) if (await exists(path)) return path
    for (const path of candidates) {
      const found = await inEitherForm(path, namesIn)
      if (found !== undefined) return found
    }
    return undefined
  }
}

/** Where a name points, for messages: the first place where it is looked for by its meaning. */
export function meantPath(folder: string, file: string): string {
  return homePath(file) ?? resolve(folder, file)
}

function homePath(name: string): string | undefined {
  return name.startsWith('~/') ? join(homedir(), name.slice(2)) : undefined
}

function candidatesOf(folder: string, file: string): string[] {
  const names = [file, ...(file.includes('\\') ? [file.replaceAll('\\', '/')] : [])]
  const home = names.flatMap((name) => homePath(name) ?? [])
  const direct = names.map((name) => resolve(folder, name))
  const inside = names.flatMap((name) => SUBFOLDERS.map((subfolder) => resolve(folder, subfolder, name)))
  return [...new Set([...direct, ...home, ...inside])]
}

/** What cannot be checked counts as present: reading it gives the reason. */
async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) =>
      code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'ERR_INVALID_ARG_VALUE',
  )
}

/** Part by part, since a path may have both forms. */
async function inEitherForm(
  path: string,
  namesIn: (folder: string) => Promise<ReadonlyMap<string, string>>,
): Promise<string | undefined> {
  // Most names have one form: they need no look into a folder.
  if (path.normalize('NFC') === path.normalize('NFD')) return undefined
  const { root } = parse(path)
  let found = root
  for (const part of path.slice(root.length).split(sep)) {
    const name = (await exists(join(found, part))) ? part : (await namesIn(found)).get(part.normalize('NFC'))
    if (name === undefined) return undefined
    found = join(found, name)
  }
  return found
}

async function readNames(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(folder).catch(() => [])
  return new Map(names.map((name) => [name.normalize('NFC'), name]))
}
