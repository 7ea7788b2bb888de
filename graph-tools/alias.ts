import { copyFile, link, rename, rm } from 'node:fs/promises'

/** What a file system answers that has no hard links, or none across this boundary. */
const NO_LINKS = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EMLINK', 'ENOSYS'])

/**
 * Give `target` a second name: a hard link where the file system can, else a copy.
 * @returns which of the two it became
 */
export async function alias(target: string, name: string): Promise<'link' | 'copy'> {
  const partial = `${name}.partial`
  await rm(partial, { force: true })
  const kind = await linkOrCopy(target, partial)
  // rename() between two names of one file does nothing and keeps both (POSIX), so clear the way first.
  await rm(name, { force: true })
  await rename(partial, name)
  return kind
}

async function linkOrCopy(target: string, name: string): Promise<'link' | 'copy'> {
  try {
    await link(target, name)
    return 'link'
  } catch (error) {
    if (!NO_LINKS.has((error as NodeJS.ErrnoException).code ?? '')) throw error
    await copyFile(target, name)
    return 'copy'
  }
}
