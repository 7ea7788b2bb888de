// SPDX-License-Identifier: Apache-2.0

import type { FolderFile } from './release-source.ts'

/** Files of `<input webkitdirectory>`, by their paths in the folder that was picked. */
export function pickedFiles(input: HTMLInputElement): FolderFile[] {
  return [...(input.files ?? [])].map((file) => ({ path: file.webkitRelativePath || file.name, file }))
}

/** Directory pickers of some browsers; the DOM's types lack them (wicg.github.io/file-system-access). */
interface Picker {
  showDirectoryPicker?(options: { mode: 'read' }): Promise<Directory>
}
interface Directory {
  readonly name: string
  values(): AsyncIterable<
    ({ kind: 'file'; getFile(): Promise<File> } | ({ kind: 'directory' } & Directory)) & {
      readonly name: string
    }
  >
}

/** Whether the browser has a dialog for folders that does not say "upload all files". */
export const canPickFolder: boolean = 'showDirectoryPicker' in globalThis

/**
 * Let the user pick a folder, and list its files and those below.
 * @returns undefined when nothing was picked
 */
export async function pickFolder(): Promise<FolderFile[] | undefined> {
  const picked = await (globalThis as Picker).showDirectoryPicker?.({ mode: 'read' }).catch((error) => {
    if ((error as DOMException).name === 'AbortError') return undefined
    throw error
  })
  return picked && filesBelow(picked, `${picked.name}/`)
}

async function filesBelow(folder: Directory, path: string): Promise<FolderFile[]> {
  const found: FolderFile[] = []
  for await (const entry of folder.values()) {
    if (entry.kind === 'file') found.push({ path: path + entry.name, file: await entry.getFile() })
    else found.push(...(await filesBelow(entry, `${path}${entry.name}/`)))
  }
  return found
}

/** What was dropped: the files of a folder, or a file. */
export async function droppedFiles(transfer: DataTransfer): Promise<{ folder: FolderFile[]; files: File[] }> {
  // all entries are to be taken before anything is waited for
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? [])
  const folder: FolderFile[] = []
  for (const entry of entries) if (entry.isDirectory) folder.push(...(await filesOf(entry)))
  return { folder, files: [...transfer.files].filter((_, i) => entries[i]?.isFile ?? true) }
}

async function filesOf(entry: FileSystemEntry): Promise<FolderFile[]> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    return [{ path: entry.fullPath.slice(1), file }]
  }
  const found: FolderFile[] = []
  for (const child of await childrenOf(entry as FileSystemDirectoryEntry))
    found.push(...(await filesOf(child)))
  return found
}

/** A reader gives a hundred at a time, and none at the end. */
async function childrenOf(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader()
  const all: FileSystemEntry[] = []
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (some.length === 0) return all
    all.push(...some)
  }
}
