import { open, stat } from 'node:fs/promises'
import { isJsonObject, type JsonObject, shown } from '../eval/json-value.ts'
import { irregularKind } from '../eval/plain-file.ts'
import { Failure } from './failure.ts'
import { formatBytes } from './files.ts'

/** The largest tokenizer.json of a published model has 11 MB. */
const MAX_BYTES = 64_000_000
const MAX_DEPTH = 100

/**
 * Read a JSON file whose content is not trusted: a regular file of bounded size and depth, in UTF-8, with one object.
 * A byte order mark is left out.
 * @param hint what to do about a file that is not right
 * @returns undefined when there is no such file
 * @throws Failure naming the file, and the place in it
 */
export async function readJsonFile(path: string, hint = ''): Promise<JsonObject | undefined> {
  const info = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
    return undefined
  })
  if (info === undefined) return undefined
  const kind = irregularKind(info)
  if (kind !== undefined) throw new Failure(`${path} is ${kind}, wanted a file.`, hint)
  if (info.size > MAX_BYTES) {
    const sizes = `${formatBytes(info.size)}, wanted at most ${formatBytes(MAX_BYTES)}`
    throw new Failure(`${path} has ${sizes}.`, hint)
  }
  return parseJsonObject(await readStart(path, info.size), path, hint)
}

/**
 * @param path for messages
 * @throws Failure for bytes that are not one JSON object in UTF-8
 */
export function parseJsonObject(bytes: Uint8Array, path: string, hint = ''): JsonObject {
  const text = decode(bytes, path, hint)
  refuseDepth(text, path, hint)
  const value = parse(text, path, hint)
  if (isJsonObject(value)) return value
  throw new Failure(`${path} holds ${shown(value)}, wanted an object.`, hint)
}

/** As many bytes as `stat` has seen: the file may grow meanwhile. */
async function readStart(path: string, size: number): Promise<Buffer> {
  const file = await open(path)
  try {
    const buffer = Buffer.alloc(size)
    const { bytesRead } = await file.read(buffer, 0, size, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

function decode(bytes: Uint8Array, path: string, hint: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes) // without a byte order mark
  } catch {
    throw new Failure(`${path} is not valid JSON: it is not UTF-8 text.`, hint)
  }
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c]
const OPENING = new Set([0x5b, 0x7b])
const CLOSING = new Set([0x5d, 0x7d])

/** Deep nesting takes memory out of proportion, and whoever walks the value takes stack. */
function refuseDepth(text: string, path: string, hint: string): void {
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
      throw new Failure(`${path} is nested deeper than ${MAX_DEPTH} levels at ${place(text, i)}.`, hint)
    }
  }
}

function parse(text: string, path: string, hint: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const constant = pythonConstant(text)
    if (constant !== undefined) {
      const { key, value } = constant
      throw new Failure(
        `${path}: ${key} is ${value}, which JSON does not have; wanted a finite number.`,
        hint,
      )
    }
    const position = /position (\d+)/.exec(String(error))?.[1]
    const at = position === undefined ? '' : ` (${place(text, Number(position))})`
    throw new Failure(`${path} is not valid JSON${at}.`, hint)
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
