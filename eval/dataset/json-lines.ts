// SPDX-License-Identifier: Apache-2.0

import { dirname } from 'node:path'
import { isJsonObject, type JsonObject } from '../runtime/json-value.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import { readLines } from '../text-file.ts'
import { findColumns, type ManifestOptions, mayLackText, missingColumn } from './columns.ts'
import { type Entry, entryOf, typeName } from './entry.ts'

const HINT = 'Write one object a line: {"file": "a.flac", "text": "..."}'
/** An object that continues in the next line. */
const OPENED = /^\s*\{\s*$/

/**
 * A manifest with one JSON object a line, as NeMo's and AudioFolder's metadata.jsonl.
 * @throws SpeechError naming the line that is malformed, or the columns when none of the lines has a text
 */
export async function* readJsonLines(path: string, options: ManifestOptions): AsyncGenerator<Entry> {
  const folder = dirname(path)
  let [known, columns] = ['', findColumns([])]
  let first: readonly string[] | undefined // of the first line
  let hasText = mayLackText(options)
  for await (const { text, number } of readLines(path)) {
    if (text.trim() === '') continue
    const where = `${path}, line ${number}`
    const values = parseObject(text, where)
    const names = Object.keys(values)
    const signature = names.join('\n')
    if (signature !== known) [known, columns] = [signature, findColumns(names, options)]
    first ??= names
    hasText ||= columns.text !== undefined
    yield entryOf(values, { where, folder, options, columns })
  }
  if (!hasText && first) throw missingColumn(path, 'text', first, options)
}

function parseObject(text: string, where: string): JsonObject {
  const value = parse(text, where)
  if (isJsonObject(value)) return value
  throw new SpeechError(`${where} is ${typeName(value)}, wanted an object.`, hintFor(text))
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new SpeechError(`${where} is not valid JSON.`, hintFor(text))
  }
}

function hintFor(text: string): string {
  if (/^\s*\[/.test(text)) return `${HINT} (jq -c '.[]' OLD > NEW makes them of an array).`
  return OPENED.test(text) ? `${HINT} (jq -c . OLD > NEW puts each object into one line).` : HINT
}
