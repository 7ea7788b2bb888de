import { constants } from 'node:fs'
import { copyFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { alias } from '../../graph-tools/alias.ts'
import { roleOf } from './manifest.ts'

/**
 * Put files of the model directory into a release's new folder. Graphs and JSON files become hard links. A data file becomes
 * a file of its own, since Python's onnx refuses external data that has several names; it shares its blocks where the file
 * system can do that (btrfs, XFS, APFS, ReFS), and takes no disk then.
 * @param clone for tests: how blocks are shared
 * @returns bytes of data files that had to be copied
 * @throws the system's error, such as that of a full disk
 */
export async function placeFiles(
  names: readonly string[],
  from: string,
  to: string,
  { signal, clone = shareBlocks }: { readonly signal: AbortSignal; readonly clone?: typeof shareBlocks },
): Promise<number> {
  let copied = 0
  for (const name of names) {
    signal.throwIfAborted()
    const [source, target] = [join(from, name), join(to, name)]
    if (!isData(name)) await alias(source, target)
    else if (!(await clone(source, target))) {
      await copyFile(source, target)
      copied += (await stat(target)).size
    }
  }
  return copied
}

/** Files that graphs name as external data. */
function isData(name: string): boolean {
  const role = roleOf(name)
  return role === 'weights' || role === 'embeddings'
}

/** @returns whether the file system could */
async function shareBlocks(source: string, target: string): Promise<boolean> {
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE)
    return true
  } catch {
    await rm(target, { force: true }) // libuv may have made it before it found out
    return false
  }
}
