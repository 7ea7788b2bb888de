// SPDX-License-Identifier: Apache-2.0

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hashFile } from '../hash-file.ts'
import { defined } from '../runtime/defined.ts'
import { describeFileError, fileProblem } from '../runtime/plain-file.ts'
import type { Entry, Span } from './entry.ts'
import { type Locate, makeLocate, meantPath } from './locate.ts'
import type { Utterance } from './utterance.ts'
import { makeFindWords } from './words-beside.ts'

/* Identifying utterances by content, so that results of changed ones are not reused. */

/** An utterance, and which part of its recording it is. */
export interface Recording {
  readonly utterance: Utterance
  readonly part?: { readonly span: Span; readonly target: string }
}

/** Finds the recording of an entry and identifies it by content. */
export type Identify = (entry: Entry, row: number) => Promise<Recording>

/**
 * An identifier that hashes each file once. A key holds audio, part, reference, its times and hotwords: with one of them changed
 * it is another utterance. What is not a file that can be read becomes an utterance with a problem.
 * @param cache where parts of recordings are kept
 */
export function makeIdentify(cache: string): Identify {
  const [locate, findWords] = [makeLocate(), makeFindWords()]
  const hashes = new Map<string, Promise<string>>()
  const hashOf = (path: string) => {
    const known = hashes.get(path) ?? hashFile(path, 'sha256').then((hash) => hash.slice(0, 24))
    hashes.set(path, known)
    return known
  }
  return async (entry, row) => {
    const { id, text, speaker, span, hotwords } = entry
    const known = { id, row, text, ...defined({ speaker, hotwords }) }
    const failed = (problem: string): Recording => ({
      utterance: { ...known, key: `${id} missing ${textHash(text)}`, path: undefined, problem },
    })
    const path = await findFile(entry, locate)
    if ('problem' in path) return failed(path.problem)
    let hash: string
    try {
      hash = await hashOf(path.found)
    } catch (error) {
      return failed(describeFileError(path.found, error))
    }
    const part = span && { span, name: `${span.offset}+${span.duration ?? 'rest'}` }
    const words = entry.words ?? (await findWords(entry, path.found))
    const beside = [words, hotwords].flatMap((list) => (list ? [textHash(JSON.stringify(list))] : []))
    const key = [id, hash, ...(part ? [part.name] : []), textHash(text), ...beside].join(' ')
    const utterance = { ...known, key, path: path.found, ...(words && { words }) }
    return part
      ? { utterance, part: { span: part.span, target: join(cache, 'parts', hash, `${part.name}.wav`) } }
      : { utterance }
  }
}

async function findFile(
  { file, folder, problem }: Entry,
  locate: Locate,
): Promise<{ readonly found: string } | { readonly problem: string }> {
  if (problem !== undefined) return { problem }
  const name = pathOfUrl(file)
  if (/^[a-z][a-z\d+.-]+:\/\//i.test(name))
    return { problem: `${file} is an address, and only files of this machine are read.` }
  const found = await locate(folder, name)
  if (found === undefined) return { problem: `${meantPath(folder, name)} does not exist.` }
  const reason = await fileProblem(found)
  return reason === undefined ? { found } : { problem: reason }
}

/** `file:` with an empty host names a file here; all other names are left as they are. */
function pathOfUrl(file: string): string {
  if (!/^file:\/\//i.test(file)) return file
  try {
    return fileURLToPath(file)
  } catch {
    return file
  }
}

function textHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24)
}
