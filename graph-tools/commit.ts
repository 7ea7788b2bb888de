import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { linkOrCopy } from './alias.ts'
import type { Content } from './bytes.ts'
import { resolveLocation } from './external-data.ts'
import { writePieces } from './files.ts'
import { GraphError } from './graph-error.ts'
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

export interface CommitOptions {
  /** bytes written of all that are to be written */
  readonly onProgress?: (done: number, total: number) => void
}

/** The journal of a change that has been decided and may be half carried out; see {@link recover}. */
export const JOURNAL = '.graph-tools-journal.json'
const PARTIAL = '.partial'
/** Where a file is while it is being patched. */
const PATCHING = '.patching.partial'

interface Journal {
  /** names relative to the folder: written as NAME.partial, to become NAME */
  readonly names: readonly string[]
  readonly removes: readonly string[]
  /** name to the byte of that file where NAME.partial goes */
  readonly patches: Readonly<Record<string, number>>
}

/**
 * Carry out changes to the files of one folder together or not at all.
 *
 * Every new file is written beside its place and synced. A journal then appears by one rename: before it nothing has
 * changed; from then on the change is decided, and {@link recover} finishes it after a kill or a power cut. Until it
 * is finished a graph whose data file changes is missing rather than wrong.
 * @throws whatever stopped the writing; the folder is then as it was
 */
export async function commit(
  folder: string,
  changes: readonly FileChange[],
  options: CommitOptions = {},
): Promise<void> {
  if (changes.length === 0) return
  const journal = journalOf(folder, changes)
  await recover(folder) // an older journal must not meet new partial files
  const [only] = journal.names
  const isOne = only !== undefined && changes.length === 1 && !(only in journal.patches)
  try {
    await writePartials(changes, options)
    if (!isOne) await writeSynced(join(folder, JOURNAL + PARTIAL), JSON.stringify(journal))
  } catch (error) {
    for (const path of [...changes.map((change) => change.path), join(folder, JOURNAL)]) {
      await rm(path + PARTIAL, { force: true })
    }
    throw error
  }
  if (isOne) {
    await rename(join(folder, only + PARTIAL), join(folder, only)) // atomic as it is
    await syncFolder(folder)
    return
  }
  await rename(join(folder, JOURNAL + PARTIAL), join(folder, JOURNAL))
  await syncFolder(folder)
  await carryOut(folder, journal)
}

/**
 * Finish a change that was decided and then interrupted. To be called before a folder's models are opened.
 * @returns whether there was one
 * @throws GraphError when the journal is not one of {@link commit}'s
 */
export async function recover(folder: string): Promise<boolean> {
  let text: string
  try {
    text = await readFile(join(folder, JOURNAL), 'utf8')
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
  await carryOut(folder, parseJournal(text, folder))
  return true
}

function journalOf(folder: string, changes: readonly FileChange[]): Journal {
  const nameOf = ({ path }: FileChange) => relative(folder, path)
  const journal = {
    names: changes.filter((change) => !('remove' in change)).map(nameOf),
    removes: changes.filter((change) => 'remove' in change).map(nameOf),
    patches: Object.fromEntries(
      changes.flatMap((change) => ('patch' in change ? [[nameOf(change), change.at]] : [])),
    ),
  }
  if (!isJournal(journal)) throw new GraphError(`A change of ${folder} reaches out of it.`)
  return journal
}

async function writePartials(changes: readonly FileChange[], { onProgress }: CommitOptions): Promise<void> {
  const total = changes.reduce(
    (sum, change) => sum + ('content' in change ? contentLength(change.content) : 0),
    0,
  )
  const written = new Set(changes.flatMap((change) => ('content' in change ? [change.path] : [])))
  let before = 0
  for (const change of changes) {
    const partial = change.path + PARTIAL
    if ('content' in change) {
      await writePieces(partial, change.content, (done) => onProgress?.(before + done, total))
      before += contentLength(change.content)
    } else if ('patch' in change) await writePieces(partial, [change.patch])
    else if ('target' in change) {
      await rm(partial, { force: true })
      await linkOrCopy(written.has(change.target) ? change.target + PARTIAL : change.target, partial)
    }
  }
}

/** Can be done again from any point: what has been renamed has no partial any more. */
async function carryOut(folder: string, { names, removes, patches }: Journal): Promise<void> {
  const isGraph = (name: string) => name.endsWith('.onnx')
  const [data, graphs] = [names.filter((name) => !isGraph(name)), names.filter(isGraph)]
  const pending = async (name: string) => exists(join(folder, name + PARTIAL))
  // An old graph must not be read with new data, nor one that is half patched.
  for (const name of graphs) {
    if (!(await pending(name))) continue
    if (!(name in patches)) await rm(join(folder, name), { force: true })
    else if (await exists(join(folder, name))) await rename(join(folder, name), join(folder, name + PATCHING))
  }
  for (const name of [...data, ...graphs]) {
    if (!(await pending(name))) continue
    const at = patches[name]
    if (at === undefined) await rename(join(folder, name + PARTIAL), join(folder, name))
    else await patchFile(folder, name, at)
  }
  for (const name of removes) await rm(join(folder, name), { force: true })
  await syncFolder(folder)
  await rm(join(folder, JOURNAL), { force: true })
}

async function patchFile(folder: string, name: string, at: number): Promise<void> {
  const partial = join(folder, name + PARTIAL)
  const bytes = await readFile(partial)
  const file = await open(join(folder, name + PATCHING), 'r+')
  try {
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
    }
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(join(folder, name + PATCHING), join(folder, name))
  await rm(partial, { force: true })
}

function parseJournal(text: string, folder: string): Journal {
  const path = join(folder, JOURNAL)
  try {
    const journal: unknown = JSON.parse(text)
    if (isJournal(journal)) {
      for (const name of [...journal.names, ...journal.removes]) resolveLocation(name, folder) // links followed
      return journal
    }
  } catch {
    // said below
  }
  throw new GraphError(
    `${path} is no journal of an interrupted change.`,
    'Delete it, and get the folder again.',
  )
}

/** A journal comes with a folder, and folders come from anywhere: it may only name files inside. */
function isJournal(value: unknown): value is Journal {
  if (typeof value !== 'object' || value === null) return false
  const { names, removes, patches } = value as Record<string, unknown>
  const isInside = (name: unknown) =>
    typeof name === 'string' &&
    name !== '' &&
    !/^\/|^[A-Za-z]:|\\|\0/.test(name) &&
    !name.split('/').includes('..')
  const isList = (list: unknown) => Array.isArray(list) && list.every(isInside)
  const offsets = typeof patches === 'object' && patches !== null ? Object.values(patches) : [-1]
  return isList(names) && isList(removes) && offsets.every((at) => Number.isSafeInteger(at) && at >= 0)
}

async function writeSynced(path: string, text: string): Promise<void> {
  await rm(path, { force: true })
  const file = await open(path, 'wx')
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Makes renames last through a power cut, where a folder can be opened. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r')
    await handle.sync().finally(() => handle.close())
  } catch (error) {
    if (!['EISDIR', 'EPERM', 'EACCES', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}
