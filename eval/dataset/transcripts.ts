// SPDX-License-Identifier: Apache-2.0

import { extname, join } from 'node:path'
import { readLines, readText } from '../text-file.ts'
import type { Entry } from './entry.ts'
import { type Branch, isAudioName, stemOf, walkTree } from './tree.ts'

/* References in text files: beside the recordings, or as LibriSpeech has them. */

const TRANSCRIPTS = '.trans.txt'
/** Reader, chapter and number: LibriSpeech and Multilingual LibriSpeech. */
const LIBRI_ID = /^(\d+)[-_]\d+[-_]\d+$/

/** Whether a file is a list of LibriSpeech's: NAME.trans.txt. */
export function isTranscripts(name: string): boolean {
  return name.endsWith(TRANSCRIPTS)
}

/** A text beside each recording: a.txt and a.flac. A recording without one has no reference. */
export async function* readTextsBeside(folder: string, names: readonly string[]): AsyncGenerator<Entry> {
  const texts = new Map(names.filter(isText).map((name) => [stemOf(name), name]))
  for (const name of names.filter(isAudioName).sort()) {
    const text = texts.get(stemOf(name))
    const reference = text === undefined ? '' : (await readText(join(folder, text))).trim()
    yield { id: name.normalize('NFC'), file: name, folder, text: reference }
  }
}

/** Whether an audio file of the folder has a text file of the same name. */
export function hasTextsBeside(names: readonly string[]): boolean {
  const texts = new Set(names.filter(isText).map(stemOf))
  return names.some((name) => isAudioName(name) && texts.has(stemOf(name)))
}

/** A tree of folders with LibriSpeech's transcripts: lines of an id and a text, recordings named by the id beside them. */
export async function* readTranscripts(root: string): AsyncGenerator<Entry> {
  for await (const branch of walkTree(root)) {
    for (const name of branch.names.filter(isTranscripts)) yield* readTranscript(branch, name)
  }
}

async function* readTranscript({ folder, names }: Branch, name: string): AsyncGenerator<Entry> {
  const files = new Map(names.filter(isAudioName).map((file) => [stemOf(file), file]))
  for await (const { text } of readLines(join(folder, name))) {
    const [, id, reference = ''] = /^\s*(\S+)\s*(.*?)\s*$/.exec(text) ?? []
    if (id === undefined) continue
    const speaker = LIBRI_ID.exec(id)?.[1]
    const file = files.get(stemOf(`${id}.`)) ?? `${id}.flac`
    yield { id, file, folder, text: reference, ...(speaker !== undefined && { speaker }) }
  }
}

function isText(name: string): boolean {
  return extname(name).toLowerCase() === '.txt'
}
