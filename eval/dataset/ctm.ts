// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'
import type { TimedWord } from '../runtime/timed-word.ts'
import { readLines } from '../text-file.ts'
import { checkedWord, exact, isPause } from './timed-words.ts'

/** Seconds as NIST writes them. */
const SECONDS = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/** A number, or `NA`; some files have more columns behind it. */
const CONFIDENCE = /^(?:[+-]?[\d.]+(?:e[+-]?\d+)?|NA)$/i

/** The words of one recording or utterance, of one channel. */
interface Channel {
  readonly name: string
  readonly words: TimedWord[]
}

/**
 * A CTM file (https://github.com/usnistgov/SCTK/blob/master/doc/infmts.htm): lines of a name, a channel, a start, a duration,
 * a word and, where there is one, its confidence. `;;` begins a comment. Of alternatives the first is taken.
 * @returns words by name
 * @throws SpeechError naming file and line
 */
export async function readCtm(path: string): Promise<ReadonlyMap<string, readonly TimedWord[]>> {
  const channels = new Map<string, Channel>()
  let isSkipped = false // a further alternative
  for await (const { text, number } of readLines(path)) {
    const fields = text.trim().split(/\s+/)
    if (fields[0] === '' || fields[0]?.startsWith(';;')) continue
    const mark = /^<ALT(?:_BEGIN|_END)?>$/i.exec(fields[4] ?? '')?.[0].toUpperCase()
    if (mark !== undefined) isSkipped = mark === '<ALT>'
    else if (!isSkipped) addLine(channels, fields, `${path}, line ${number}`)
  }
  return new Map([...channels].map(([name, { words }]) => [name, words]))
}

function addLine(channels: Map<string, Channel>, fields: readonly string[], where: string): void {
  const [name = '', channel = '', start = '', length = '', text, confidence = 'NA'] = fields
  const isRight = [start, length].every((field) => SECONDS.test(field)) && CONFIDENCE.test(confidence)
  if (text === undefined || !isRight)
    throw new SpeechError(
      `${where} is "${fields.join(' ')}", wanted a name, a channel, a start, a duration, a word and perhaps a confidence.`,
    )
  const id = name.normalize('NFC')
  const found = channels.get(id) ?? { name: channel, words: [] }
  if (found.name !== channel)
    throw new SpeechError(
      `${where} has channel ${channel} of ${name}, and lines before it have channel ${found.name}.`,
      'Keep the words of one channel.',
    )
  channels.set(id, found)
  if (isPause(text)) return
  const times = { start: Number(start), end: exact(Number(start) + Number(length)) }
  found.words.push(checkedWord({ text, ...times }, found.words.at(-1), where))
}
