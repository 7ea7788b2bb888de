// SPDX-License-Identifier: Apache-2.0

/** What file managers leave in folders that somebody looks at, by name in lower case. */
const STRAY_NAMES: ReadonlyMap<string, string> = new Map([
  ['.ds_store', 'Finder of macOS'],
  ['.localized', 'Finder of macOS'],
  ['__macosx', 'Finder of macOS'],
  ['.spotlight-v100', 'search of macOS'],
  ['.trashes', 'Finder of macOS'],
  ['.fseventsd', 'macOS'],
  ['icon\r', 'Finder of macOS'],
  ['thumbs.db', 'Explorer of Windows'],
  ['ehthumbs.db', 'Explorer of Windows'],
  ['desktop.ini', 'Explorer of Windows'],
  ['.directory', 'Dolphin of KDE'],
])

/**
 * Which program left a file that belongs to no release.
 * @param name without folders
 * @returns undefined when no file manager makes such a file
 */
export function strayOf(name: string): string | undefined {
  if (name.startsWith('._')) return 'macOS (it keeps attributes of a file there)'
  return STRAY_NAMES.get(name.toLowerCase())
}
