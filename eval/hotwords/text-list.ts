// SPDX-License-Identifier: Apache-2.0

/** The texts of a list, or what is wrong with it, as the end of a sentence. */
export type ParsedList = { readonly texts: readonly string[] } | { readonly problem: string }

/** Reads a list of texts from the cell of a table. */
export type ParseList = (source: string) => ParsedList

const OPEN = /\s*\[\s*/y
const CLOSE = /\s*\]\s*$/y
const COMMA = /\s*,\s*/y
const TEXT = /"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'/y
const ESCAPE = /\\(?:u([\da-fA-F]{4})|x([\da-fA-F]{2})|(.))/g
/** What stands behind a backslash in JSON and in Python. */
const ESCAPED: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}
/** Of what is shown where a list goes wrong. */
const SHOWN = 20

/**
 * A parser of lists of texts as JSON and Python write them: `["a", "b"]`, `['a', "b's"]`. Equal texts of all its lists are one
 * in memory: large files have each distractor many times.
 */
export function makeListParser(): ParseList {
  const known = new Map<string, string>()
  const kept = (text: string) => {
    const found = known.get(text)
    if (found === undefined) known.set(text, text)
    return found ?? text
  }
  return (source) => {
    const parsed = parseJson(source) ?? parseList(source)
    return 'texts' in parsed ? { texts: parsed.texts.map(kept) } : parsed
  }
}

/** Most files are JSON, which the runtime reads many times faster. */
function parseJson(source: string): ParsedList | undefined {
  try {
    const value: unknown = JSON.parse(source)
    const isList =
      Array.isArray(value) && value.every((text) => typeof text === 'string' && text.trim() !== '')
    return isList ? { texts: value.map((text: string) => text.trim()) } : undefined
  } catch {
    return undefined
  }
}

function parseList(source: string): ParsedList {
  const texts: string[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | undefined => {
    pattern.lastIndex = at
    const found = pattern.exec(source)
    if (found) at = pattern.lastIndex
    return found ?? undefined
  }
  const problem = () => {
    const rest = source.slice(at, at + SHOWN)
    const found = rest === '' ? 'it ends early' : `it goes wrong at ${JSON.stringify(rest)}`
    return { problem: `is not a list of texts in quotes: ${found}` }
  }
  if (!take(OPEN)) return problem()
  if (take(CLOSE)) return { texts }
  for (;;) {
    const [, double, single] = take(TEXT) ?? []
    const written = double ?? single
    if (written === undefined) return problem()
    const text = unescaped(written)
    if (text === undefined) return { problem: `has an escape that is not known: ${JSON.stringify(written)}` }
    if (text.trim() === '') return { problem: 'has a text that is blank' }
    texts.push(text.trim())
    if (take(CLOSE)) return { texts }
    if (!take(COMMA)) return problem()
  }
}

/** @returns undefined for an escape that neither JSON nor Python has */
function unescaped(written: string): string | undefined {
  let isKnown = true
  const text = written.replace(ESCAPE, (_, four?: string, two?: string, one = '') => {
    const code = four ?? two
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
    isKnown &&= one in ESCAPED
    return ESCAPED[one] ?? ''
  })
  return isKnown ? text : undefined
}
