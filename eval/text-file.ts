// SPDX-License-Identifier: Apache-2.0

import { isUtf8 } from 'node:buffer'
import { createReadStream } from 'node:fs'
import { TextDecoder } from 'node:util'
import { requireFile } from './runtime/plain-file.ts'
import { SpeechError } from './runtime/speech-error.ts'

/** A line of a text file without its end, counted from 1. */
export interface Line {
  readonly text: string
  readonly number: number
}

const READ_BYTES = 1 << 20
/** A longer line belongs to a file that is not text. */
const LONGEST_LINE = 1 << 26
const LINE_END = /\r\n|\r|\n/
const HINT =
  'Save it as UTF-8, for example: iconv -f ENCODING -t UTF-8 OLD > NEW (Latin-1 is ISO-8859-1 there).'

/**
 * The lines of a text file, whatever ends them (LF, CRLF, CR), read piece by piece.
 * @throws SpeechError as {@link textChunks}, and when a line is longer than 64 MiB
 */
export async function* readLines(path: string): AsyncGenerator<Line> {
  let rest = ''
  let number = 0
  for await (const chunk of textChunks(path)) {
    const text = rest + chunk
    // A CR at the end may be half of a CRLF.
    const held = text.endsWith('\r') ? text.length - 1 : text.length
    const lines = text.slice(0, held).split(LINE_END)
    rest = `${lines.pop() ?? ''}${text.slice(held)}`
    for (const line of lines) yield { text: line, number: ++number }
    if (rest.length > LONGEST_LINE)
      throw new SpeechError(`${path}, line ${number + 1} is longer than 64 MiB.`)
  }
  if (rest !== '') yield { text: rest.replace(/\r$/, ''), number: ++number }
}

/** A whole text file that is not large. @throws SpeechError as {@link textChunks} */
export async function readText(path: string): Promise<string> {
  let text = ''
  for await (const chunk of textChunks(path)) text += chunk
  return text
}

/**
 * The text of a file: UTF-8 with or without a byte order mark, or UTF-16 with one. The mark is left out.
 * @throws SpeechError naming file and line when the bytes are in another encoding, or the path is not of a file
 */
export async function* textChunks(path: string): AsyncGenerator<string> {
  await requireFile(path)
  let decoder: TextDecoder | undefined
  let line = 1
  const decode = (bytes?: Buffer): string => {
    decoder ??= new TextDecoder(encodingOf(bytes ?? Buffer.alloc(0)), { fatal: true })
    const text = decoder.decode(bytes, { stream: bytes !== undefined })
    const nul = text.indexOf('\0')
    if (nul < 0) return text
    throw new SpeechError(
      `${path}, line ${line + lineEnds(text.slice(0, nul))} holds a NUL character: UTF-16 without a byte order mark, or not text.`,
      HINT,
    )
  }
  try {
    for await (const bytes of createReadStream(path, { highWaterMark: READ_BYTES })) {
      const text = decode(bytes as Buffer)
      yield text
      line += lineEnds(text)
    }
    yield decode()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw error
    throw await encodingError(path, decoder?.encoding ?? 'utf-8')
  }
}

function encodingOf([first, second]: Buffer): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8'
}

/** How many ends of lines a text has. */
export function lineEnds(text: string): number {
  return text.split(LINE_END).length - 1
}

/** Reads the file again: the decoder does not say where it stopped. */
async function encodingError(path: string, encoding: string): Promise<SpeechError> {
  if (encoding !== 'utf-8') return new SpeechError(`${path} is not valid UTF-16, though it begins so.`, HINT)
  let number = 1
  let rest = Buffer.alloc(0)
  for await (const bytes of createReadStream(path, { highWaterMark: READ_BYTES })) {
    const all = Buffer.concat([rest, bytes as Buffer])
    let start = 0
    for (let end = all.indexOf(0x0a); end >= 0; end = all.indexOf(0x0a, start)) {
      if (!isUtf8(all.subarray(start, end))) break
      start = end + 1
      number++
    }
    rest = all.subarray(start)
    if (rest.includes(0x0a)) break
  }
  // Ends of old Mac files: within what LF leaves together.
  for (let end = rest.indexOf(0x0d); end >= 0 && isUtf8(rest.subarray(0, end)); end = rest.indexOf(0x0d)) {
    rest = rest.subarray(end + 1)
    number++
  }
  return new SpeechError(`${path}, line ${number} is not valid UTF-8.`, HINT)
}
