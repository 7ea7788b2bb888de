import { dirname } from 'node:path'
import { SpeechError } from '../speech-error.ts'
import { readLines } from '../text-file.ts'
import { type ColumnOptions, findColumns } from './columns.ts'
import { type Entry, entryOf, typeName } from './entry.ts'

const HINT = 'Write one object a line: {"file": "a.flac", "text": "..."}'

/**
 * A manifest with one JSON object a line, as NeMo's and AudioFolder's metadata.jsonl.
 * @throws SpeechError naming the line that is malformed
 */
export async function* readJsonLines(path: string, options: ColumnOptions): AsyncGenerator<Entry> {
  const folder = dirname(path)
  let [known, columns] = ['', findColumns([])]
  for await (const { text, number } of readLines(path)) {
    if (text.trim() === '') continue
    const where = `${path}, line ${number}`
    const values = parseObject(text, where)
    const names = Object.keys(values)
    const signature = names.join('\n')
    if (signature !== known) [known, columns] = [signature, findColumns(names, options)]
    yield entryOf(values, { where, folder, options, columns })
  }
}

function parseObject(text: string, where: string): Record<string, unknown> {
  const value = parse(text, where)
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>
  const hint = Array.isArray(value) ? `${HINT} (jq -c '.[]' OLD > NEW makes them of an array).` : HINT
  throw new SpeechError(`${where} is ${typeName(value)}, wanted an object.`, hint)
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new SpeechError(`${where} is not valid JSON.`, HINT)
  }
}
