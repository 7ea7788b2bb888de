// SPDX-License-Identifier: Apache-2.0

import type { WantedFile } from './release-manifest.ts'

/*
 * Files in the browser's own storage (the origin private file system), by the SHA-256 of their content: `bytes/` holds them,
 * half of one included, and `checked/` an empty file for each that is whole and right.
 */

const [BYTES, CHECKED] = ['bytes', 'checked']

/**
 * The file in the browser's storage that holds the bytes of a wanted one, made when it is not there.
 * @throws DOMException where the browser has no such storage, as in some private windows
 */
export async function bytesHandle({ sha256 }: WantedFile): Promise<FileSystemFileHandle> {
  return (await folder(BYTES)).getFileHandle(sha256, { create: true })
}

/** Say that a file is whole and right. */
export async function markChecked({ sha256 }: WantedFile): Promise<void> {
  await (await folder(CHECKED)).getFileHandle(sha256, { create: true })
}

/** A file that is whole and right; undefined when it is not there. */
export async function keptFile({ sha256, size }: WantedFile): Promise<File | undefined> {
  const marker = await existing(CHECKED, sha256)
  const file = marker && (await (await existing(BYTES, sha256))?.getFile())
  return file?.size === size ? file : undefined
}

/** How many bytes of a file are there. */
export async function keptBytes({ sha256 }: WantedFile): Promise<number> {
  return (await (await existing(BYTES, sha256))?.getFile())?.size ?? 0
}

/** Delete the bytes of a file and the mark that they were checked; either may be missing. */
export async function removeFile({ sha256 }: Pick<WantedFile, 'sha256'>): Promise<void> {
  for (const name of [CHECKED, BYTES])
    if (await existing(name, sha256)) await (await folder(name)).removeEntry(sha256)
}

/** @param create not where things are only looked for: a full storage refuses an empty folder too */
async function folder(name: string, create = true): Promise<FileSystemDirectoryHandle> {
  return (await navigator.storage.getDirectory()).getDirectoryHandle(name, { create })
}

async function existing(name: string, file: string): Promise<FileSystemFileHandle | undefined> {
  try {
    return await (await folder(name, false)).getFileHandle(file)
  } catch (error) {
    if ((error as DOMException).name === 'NotFoundError') return undefined
    throw error
  }
}
