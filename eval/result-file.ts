// SPDX-License-Identifier: Apache-2.0

import { appendFile, mkdir, readFile, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseChecked } from './checked-json.ts'
import { RESULT, type ResultRecord } from './record.ts'
import { SpeechError } from './runtime/speech-error.ts'

/** results.jsonl: every record on a line of its own, written when it is known. */
export interface ResultFile {
  /** those that were there, and those added since */
  readonly records: readonly ResultRecord[]
  add(record: ResultRecord): Promise<void>
}

/**
 * Open or begin a result file. A last line that a kill cut off is removed; it is measured again.
 * @throws SpeechError when another line is not a record
 */
export async function openResults(path: string): Promise<ResultFile> {
  await mkdir(dirname(path), { recursive: true })
  const records: ResultRecord[] = await readResults(path, { mend: true })
  let writing = Promise.resolve()
  return {
    records,
    add(record) {
      records.push(record)
      writing = writing.then(() => appendFile(path, `${JSON.stringify(record)}\n`))
      return writing
    },
  }
}

/** All records of a file; none when it does not exist. @throws SpeechError naming the line and the key that is not right */
export async function readResults(path: string, { mend = false } = {}): Promise<ResultRecord[]> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return Buffer.alloc(0)
    throw error
  })
  const end = bytes.lastIndexOf(0x0a) + 1
  if (mend && end < bytes.length) await truncate(path, end)
  const lines = bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1)
  return lines.map((line, i) => parseChecked(RESULT, line, `${path}, line ${i + 1}`, notAResult))
}

function notAResult(message: string): SpeechError {
  return new SpeechError(
    message,
    'Remove that line: what it was is measured again. Or name another folder with --output.',
  )
}
