// SPDX-License-Identifier: Apache-2.0

import type * as Files from './random-access.ts'

/* Files of a browser: blobs under names, such as a folder that was picked, or what the page has kept. */

/** Of workers alone; the DOM's types lack it (w3.org/TR/FileAPI, section 6.5). */
declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer
}

type Folder = ReadonlyMap<string, Blob>
const folders = new Map<string, Folder>()

/**
 * Let `name` be a folder that holds these files, here and in threads that are started from now on.
 * @param name without a slash
 */
export function mountFolder(name: string, files: Folder): void {
  folders.set(name, files)
}

/** All folders, for another thread. */
export function mountedFolders(): ReadonlyMap<string, Folder> {
  return folders
}

/** The files of a folder; none when it is not there. */
export function filesIn(folder: string): Folder {
  return folders.get(folder) ?? new Map()
}

/** Bytes of a blob, at once: in a worker alone. */
export function readBlob(blob: Blob, start: number, end: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new FileReaderSync().readAsArrayBuffer(blob.slice(start, end)))
}

/** A mounted blob as a file that is read at once; in a worker alone. @throws Error when nothing is there */
export const openFile: typeof Files.openFile = (path) => {
  const blob = required(path)
  return {
    size: blob.size,
    read(bytes, at) {
      const found = readBlob(blob, at, at + bytes.length)
      bytes.set(found)
      return found.length
    },
    close: () => undefined,
  }
}

/** Names of the files of a mounted folder. */
export const namesIn: typeof Files.namesIn = async (folder) => [...filesIn(folder).keys()]

/** Size of a mounted blob in bytes; undefined when nothing is there. */
export const lookAt: typeof Files.lookAt = async (path) => {
  const blob = blobAt(path)
  return blob && { size: blob.size, irregular: undefined }
}

/** The first bytes of a mounted blob, at most `count`. @throws Error when nothing is there */
export const readStart: typeof Files.readStart = async (path, count) =>
  new Uint8Array(await required(path).slice(0, count).arrayBuffer())

function blobAt(path: string): Blob | undefined {
  const slash = path.indexOf('/')
  return filesIn(path.slice(0, slash)).get(path.slice(slash + 1))
}

function required(path: string): Blob {
  const blob = blobAt(path)
  if (blob) return blob
  throw new Error(`${path} does not exist.`)
}
