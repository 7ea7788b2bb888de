// SPDX-License-Identifier: Apache-2.0

import { readdir, realpath, stat } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { describeFileError } from '../runtime/plain-file.ts'
import { SpeechError } from '../runtime/speech-error.ts'

/** What recordings are called, decoded here or by ffmpeg. */
const AUDIO = new Set([
  ...['.flac', '.wav', '.mp3', '.ogg', '.oga', '.opus', '.m4a', '.m4b', '.aac'],
  ...['.aif', '.aiff', '.wma', '.amr'],
  ...['.au', '.caf', '.sph', '.webm', '.mp4', '.mkv', '.mka', '.mov', '.3gp'],
])
const DEEPEST = 8

/** A folder of a tree with the names in it, sorted. */
export interface Branch {
  readonly folder: string
  readonly names: readonly string[]
}

/** Whether a name has an extension of audio or video files, in any case of letters. */
export function isAudioName(name: string): boolean {
  return AUDIO.has(extname(name).toLowerCase())
}

/** A name without its extension, composed: a Mac writes names decomposed. */
export function stemOf(name: string): string {
  return name.slice(0, name.length - extname(name).length).normalize('NFC')
}

/** @throws SpeechError with what the file system says */
function refuse(folder: string, error: unknown): never {
  throw new SpeechError(describeFileError(folder, error))
}

/** A folder and all in it, in the order of their names; links are followed, each folder is visited once. */
export async function* walkTree(folder: string): AsyncGenerator<Branch> {
  yield* walk(folder, new Set(), 0)
}

async function* walk(folder: string, seen: Set<string>, depth: number): AsyncGenerator<Branch> {
  const real = await realpath(folder).catch((error) => refuse(folder, error))
  if (seen.has(real) || depth > DEEPEST) return
  seen.add(real)
  const found = await readdir(folder, { withFileTypes: true }).catch((error) => refuse(folder, error))
  const entries = found.sort((one, other) => (one.name < other.name ? -1 : 1))
  yield { folder, names: entries.map(({ name }) => name) }
  for (const entry of entries) {
    if (entry.name.startsWith('.') || entry.name === 'node_modules') continue
    const path = join(folder, entry.name)
    const isFolder =
      entry.isDirectory() ||
      (entry.isSymbolicLink() && (await stat(path).catch(() => undefined))?.isDirectory())
    if (isFolder) yield* walk(path, seen, depth + 1)
  }
}
