// SPDX-License-Identifier: Apache-2.0

import { isJsonObject, type JsonObject, shown } from './json-value.ts'
import { lookAt, readStart } from './platform/random-access.ts'
import { SpeechError } from './speech-error.ts'

/** The largest tokenizer.json of a published model has 11 MB. */
const MAX_BYTES = 64_000_000
const MAX_DEPTH = 100

/** Makes the error of a sentence that names the file. */
type Fail = (message: string) => Error

/**
 * Read a JSON file of a release.
 * @returns the object in it; a caller that relies on a key checks it
 * @throws SpeechError when there is no such file, or as {@link readJsonFile}
 */
export async function readJson(path: string): Promise<JsonObject> {
  return parseJsonObject(await readJsonBytes(path), path, damaged)
}

/** The bytes of a JSON file of a release, to be parsed with {@link parseJsonObject}. @throws as {@link readJson} */
export async function readJsonBytes(path: string): Promise<Uint8Array> {
  const bytes = await readBytes(path, damaged)
  if (bytes !== undefined) return bytes
  throw new SpeechError(
    `${path} is missing.`,
    'A release directory holds it; give the folder that contains encoder.onnx.',
  )
}

/** The error of a file that is not as the exporter wrote it. */
export function damaged(message: string): SpeechError {
  return new SpeechError(message, 'Take it from the release again.')
}

/**
 * Read a JSON file whose content is not trusted: a regular file of bounded size and depth, in UTF-8, with one object.
 * A byte order mark is left out.
 * @returns undefined when there is no such file
 * @throws what `fail` makes of a sentence that names the file, and the place in it
 */
export async function readJsonFile(path: string, fail: Fail): Promise<JsonObject | undefined> {
  const bytes = await readBytes(path, fail)
  return bytes && parseJsonObject(bytes, path, fail)
}

async function readBytes(path: string, fail: Fail): Promise<Uint8Array | undefined> {
  const found = await lookAt(path)
  if (found === undefined) return undefined
  const { size, irregular } = found
  if (irregular !== undefined) throw fail(`${path} is ${irregular}, wanted a file.`)
  if (size > MAX_BYTES) throw fail(`${path} has ${size} bytes, wanted at most ${MAX_BYTES}.`)
  return readStart(path, size) // it may grow meanwhile
}

/**
 * Parse bytes that must be one JSON object.
 * @param path for messages
 * @throws what `fail` makes of bytes that are not one JSON object in UTF-8
 */
export function parseJsonObject(bytes: Uint8Array, path: string, fail: Fail): JsonObject {
  const text = decode(bytes, path, fail)
  refuseDepth(text, path, fail)
  const value = parseJson(text, path, fail)
  if (isJsonObject(value)) return value
  throw fail(`${path} holds ${shown(value)}, wanted an object.`)
}

function decode(bytes: Uint8Array, path: string, fail: Fail): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes) // without a byte order mark
  } catch {
    throw fail(`${path} is not valid JSON: it is not UTF-8 text.`)
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])

/** Deep nesting takes memory out of proportion, and walking the value takes stack. */
function refuseDepth(text: string, path: string, fail: Fail): void {
  let [depth, isString] = [0, false]
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (isString) {
      if (code === BACKSLASH) i++
      else if (code === QUOTE) isString = false
    } else if (code === QUOTE) isString = true
    else if (OPENING.has(code)) depth++
    else if (CLOSING.has(code)) depth--
    if (depth > MAX_DEPTH) {
      throw fail(`${path} is nested deeper than ${MAX_DEPTH} levels at ${place(text, i)}.`)
    }
  }
}

/**
 * Parse a JSON text.
 * @param path for messages
 * @throws what `fail` makes of a text that is not JSON, with its line and column where they are known
 */
export function parseJson(text: string, path: string, fail: Fail): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const constant = pythonConstant(text)
    if (constant !== undefined) {
      const { key, value } = constant
      throw fail(`${path}: ${key} is ${value}, which JSON does not have; wanted a finite number.`)
    }
    const position = /position (\d+)/.exec(String(error))?.[1]
    const at = position === undefined ? '' : ` (${place(text, Number(position))})`
    throw fail(`${path} is not valid JSON${at}.`)
  }
}

const MARK = '\u0000'

/** NaN and Infinity, which Python's json module writes and reads; undefined when it is not they that are wrong. */
function pythonConstant(text: string): { key: string; value: string } | undefined {
  const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\b(?:NaN|Infinity)\b/g
  try {
    const marked: unknown = JSON.parse(
      text.replace(tokens, (token) => (token.startsWith('"') ? token : JSON.stringify(MARK + token))),
    )
    return findMark(marked, '')
  } catch {
    return undefined
  }
}

function findMark(value: unknown, key: string): { key: string; value: string } | undefined {
  if (typeof value === 'string' && value.startsWith(MARK)) return { key, value: value.slice(1) }
  if (typeof value !== 'object' || value === null) return undefined
  for (const [name, item] of Object.entries(value)) {
    const found = findMark(item, key === '' ? name : `${key}.${name}`)
    if (found !== undefined) return found
  }
  return undefined
}

function place(text: string, position: number): string {
  const lines = text.slice(0, position).split('\n')
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`
}
