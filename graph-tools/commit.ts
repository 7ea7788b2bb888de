// SPDX-License-Identifier: Apache-2.0

import { chmod, chown, lstat, open, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { linkOrCopy } from './alias.ts'
import type { Content } from './bytes.ts'
import { openPlain, writeAll, writePieces } from './files.ts'
import {
  JOURNAL,
  type Journal,
  nameIn,
  PARTIAL,
  PATCHING,
  readJournal,
  refuseTargets,
  writeJournal,
} from './journal.ts'
import { renameOver } from './rename-over.ts'
import { contentLength } from './splice.ts'

/**
 * One file of a change: what it shall hold; what it shall hold from a byte on, keeping its length; which file it shall be
 * another name of, as that one is after the change; or that it shall go.
 */
export type FileChange =
  | { readonly path: string; readonly content: readonly Content[] }
  | { readonly path: string; readonly patch: Uint8Array; readonly at: number }
  | { readonly path: string; readonly target: string }
  | { readonly path: string; readonly remove: true }

/** Callbacks for the progress of a change; what `onProgress` throws stops it, as long as it is not decided. */
export interface CommitOptions {
  /** bytes written of all that are to be written */
  readonly onProgress?: (done: number, total: number) => void
  /** paths of the graphs among the changes; by default those called *.onnx */
  readonly graphs?: ReadonlySet<string>
  /** when all is written and nothing is decided; what it throws stops the change */
  readonly beforeDecision?: () => Promise<void>
}

/**
 * Carry out changes to the files of one folder together or not at all.
 *
 * Every new file is written beside its place and synced. A journal then appears by one rename: before it nothing has
 * changed; from then on the change is decided, and {@link recover} finishes it after a kill or a power cut. Until it
 * is finished a graph whose data file changes is missing rather than wrong.
 * @throws GraphError, before anything is written, when a path is outside the folder, is named twice, or is a folder, a
 * link or not a regular file
 * @throws whatever stopped the writing; before the journal the folder is then as it was, after it {@link recover} is due
 */
export async function commit(
  folder: string,
  changes: readonly FileChange[],
  options: CommitOptions = {},
): Promise<void> {
  if (changes.length === 0) return
  await recover(folder) // an older journal must not meet new partial files
  const journal = journalOf(folder, changes, options)
  await refuseTargets(folder, journal)
  const [only] = journal.names
  const isOne = only !== undefined && changes.length === 1 && !Object.hasOwn(journal.patches, only)
  try {
    await writePartials(changes, options)
    await options.beforeDecision?.()
    if (!isOne) await writeJournal(folder, journal)
  } catch (error) {
    for (const path of [...changes.map((change) => change.path), join(folder, JOURNAL)]) {
      await rm(path + PARTIAL, { force: true })
    }
    throw error
  }
  if (isOne) await renameOver(join(folder, only + PARTIAL), join(folder, only)) // atomic as it is
  await syncFolders(folder, journal)
  if (!isOne) await carryOut(folder, journal)
}

/**
 * Finish a change that was decided and then interrupted. To be called before a folder's models are opened to be
 * rewritten.
 * @returns whether there was one
 * @throws GraphError when the journal is not one of {@link commit}'s, or names what is not a file
 */
export async function recover(folder: string): Promise<boolean> {
  const journal = await readJournal(folder)
  if (journal) await carryOut(folder, journal)
  return journal !== undefined
}

function journalOf(folder: string, changes: readonly FileChange[], { graphs }: CommitOptions): Journal {
  const nameOf = ({ path }: FileChange) => nameIn(folder, resolve(path))
  return {
    names: changes.filter((change) => !('remove' in change)).map(nameOf),
    removes: changes.filter((change) => 'remove' in change).map(nameOf),
    patches: Object.fromEntries(
      changes.flatMap((change) => ('patch' in change ? [[nameOf(change), change.at]] : [])),
    ),
    ...(graphs && { graphs: changes.filter(({ path }) => graphs.has(path)).map(nameOf) }),
  }
}

async function writePartials(changes: readonly FileChange[], { onProgress }: CommitOptions): Promise<void> {
  const lengths = changes.map((change) => ('content' in change ? contentLength(change.content) : 0))
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const written = new Set(changes.flatMap((change) => ('content' in change ? [change.path] : [])))
  let before = 0
  for (const [i, change] of changes.entries()) {
    const partial = change.path + PARTIAL
    if ('content' in change) {
      await writePieces(partial, change.content, (done) => onProgress?.(before + done, total))
      await keepOwner(change.path, changes)
    } else if ('patch' in change) {
      await writePieces(partial, [change.patch])
      await keepOwner(change.path, changes)
    } else if ('target' in change) {
      await rm(partial, { force: true })
      await linkOrCopy(written.has(change.target) ? change.target + PARTIAL : change.target, partial)
    }
    before += lengths[i] ?? 0
  }
}

/** Mode, and owner where permitted, of the file that is replaced; a new one gets those of the first it changes with. */
async function keepOwner(path: string, changes: readonly FileChange[]): Promise<void> {
  for (const like of [path, ...changes.map((change) => change.path)]) {
    const info = await lstat(like).catch(() => undefined)
    if (!info) continue
    await chown(path + PARTIAL, info.uid, info.gid).catch(() => undefined)
    await chmod(path + PARTIAL, info.mode & 0o777)
    return
  }
}

/** Can be done again from any point: what has been renamed has no partial any more. */
async function carryOut(folder: string, journal: Journal): Promise<void> {
  const { names, removes, patches, graphs } = journal
  const isGraph = (name: string) => graphs?.includes(name) ?? name.endsWith('.onnx')
  const ordered = [...names.filter((name) => !isGraph(name)), ...names.filter(isGraph)]
  const pending = async (name: string) => exists(join(folder, name + PARTIAL))
  // An old graph must not be read with new data, nor one that is half patched.
  for (const name of names.filter(isGraph)) {
    if (!(await pending(name))) continue
    if (!Object.hasOwn(patches, name)) await rm(join(folder, name), { force: true })
    else if (await exists(join(folder, name)))
      await renameOver(join(folder, name), join(folder, name + PATCHING))
  }
  for (const name of ordered) {
    if (!(await pending(name))) continue
    const at = Object.hasOwn(patches, name) ? patches[name] : undefined
    if (at === undefined) await renameOver(join(folder, name + PARTIAL), join(folder, name))
    else await patchFile(folder, name, at)
  }
  for (const name of removes) await rm(join(folder, name), { force: true })
  await syncFolders(folder, journal)
  await rm(join(folder, JOURNAL), { force: true })
}

async function patchFile(folder: string, name: string, at: number): Promise<void> {
  const partial = await openPlain(join(folder, name + PARTIAL), 'read')
  const bytes = await partial.readFile().finally(() => partial.close())
  const file = await openPlain(join(folder, name + PATCHING), 'patch')
  try {
    await writeAll(file, bytes, at)
    await file.sync()
  } finally {
    await file.close()
  }
  await renameOver(join(folder, name + PATCHING), join(folder, name))
  await rm(join(folder, name + PARTIAL), { force: true })
}

/** Makes renames last through a power cut, where a folder can be opened. */
async function syncFolders(folder: string, { names, removes }: Journal): Promise<void> {
  for (const path of new Set([
    folder,
    ...[...names, ...removes].map((name) => dirname(join(folder, name))),
  ])) {
    try {
      const handle = await open(path, 'r')
      await handle.sync().finally(() => handle.close())
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL'].includes(code)) throw error
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined
}
