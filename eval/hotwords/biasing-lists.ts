// SPDX-License-Identifier: Apache-2.0

import { hashFile } from '../hash-file.ts'
import { requireFile } from '../runtime/plain-file.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import { type Line, readLines } from '../text-file.ts'
import type { HotwordLists, ListedRow } from './hotwords.ts'
import { makeListParser, type ParseList } from './text-list.ts'

/** Lists by the utterance's id, in the layout of the public LibriSpeech lists. */
export interface BiasingLists extends HotwordLists {
  /** in the order of the file */
  readonly rows: ReadonlyMap<string, ListedRow>
}

const COLUMNS = ['id', 'text', 'rare words', 'list']
const HINT =
  'Write a line for each utterance, without a header, with tabs between: ID, TEXT, ["rare", "words"], ["all", "rare", "words"].'

/**
 * Read lists in the layout of https://github.com/facebookresearch/fbai-speech/tree/main/is21_deep_bias: four columns with tabs
 * between, which are the utterance's id, its text, its rare words, and the list with distractors.
 * @throws SpeechError naming file and line when a line is malformed, an id is there twice, or there is no line
 */
export async function readBiasingLists(path: string): Promise<BiasingLists> {
  await requireFile(path)
  const id = (await hashFile(path, 'sha256')).slice(0, 16)
  const parse = makeListParser()
  const rows = new Map<string, ListedRow>()
  for await (const line of readLines(path)) {
    if (line.text.trim() === '') continue
    const [name, row] = rowOf(path, line, parse)
    const before = rows.get(name)
    if (before)
      throw new SpeechError(`${path}, line ${line.number}: the id ${name} is in line ${before.line} already.`)
    rows.set(name, row)
  }
  if (rows.size === 0) throw new SpeechError(`${path} has no lines, wanted one for each utterance.`, HINT)
  return { id, source: path, rows, of: (utterance) => rows.get(utterance.id) }
}

function rowOf(path: string, { text: line, number }: Line, parse: ParseList): [string, ListedRow] {
  const where = `${path}, line ${number}`
  const cells = line.split('\t').map((cell) => cell.trim())
  if (cells.length !== COLUMNS.length)
    throw new SpeechError(
      `${where} has ${cells.length} columns, wanted ${COLUMNS.length} with tabs between: ${COLUMNS.join(', ')}.`,
      HINT,
    )
  const [id = '', text = '', ...lists] = cells
  if (id === '') throw new SpeechError(`${where} has no id.`, HINT)
  const [rare = [], list = []] = lists.map((cell, i) => {
    const parsed = parse(cell)
    if ('texts' in parsed) return parsed.texts
    throw new SpeechError(`${where}: column ${3 + i} (${COLUMNS[2 + i]}) ${parsed.problem}.`, HINT)
  })
  return [id, { text, rare, list, line: number }]
}
