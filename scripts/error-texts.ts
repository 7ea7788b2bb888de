// SPDX-License-Identifier: Apache-2.0

/* Sentences of errors in a source, found without compiling it. */

const THROWS =
  /\b(?:new (?:Failure|SpeechError|GraphError|OfflineError|TransientError|UnreadableError|BusyError)|usage|fail|failed|UserError)\(/g
/** What differs from error to error. */
const VARIABLE = '…'
const QUOTES = ['"', "'", '`']

/**
 * The messages of errors, with their hints.
 * @param isPython whether `f"{x}"` holds expressions, and strings that adjoin are one
 */
export function errorTexts(code: string, isPython: boolean): { text: string; hint: string }[] {
  return Array.from(code.matchAll(THROWS)).flatMap(({ 0: start, index }) => {
    const [message = '', hint = ''] = argumentsAt(code, index + start.length)
    const [advice = ''] = textsOf(hint.replace(/^\s*hint=/, ''), isPython)
    return textsOf(message, isPython)
      .filter(isSentence)
      .map((text) => ({ text, hint: isSentence(advice) ? advice : '' }))
  })
}

/** Two words of its own at least. */
function isSentence(text: string): boolean {
  return (text.match(/[A-Za-z]{2,}/g)?.length ?? 0) >= 2
}

/** The arguments of a call, as they are written. @param at behind its bracket */
function argumentsAt(code: string, at: number): string[] {
  const found = ['']
  let depth = 0
  for (let i = at; i < code.length; ) {
    const part = partAt(code, i)
    if (part.length === 1) {
      if ('([{'.includes(part)) depth++
      if (')]}'.includes(part) && depth-- === 0) break
    }
    if (part === ',' && depth === 0) found.push('')
    else found.push((found.pop() ?? '') + part)
    i += part.length
  }
  return found
}

/** A whole string, a comment, or one character. */
function partAt(code: string, at: number): string {
  const [first = ''] = code.slice(at, at + 1)
  if (code.startsWith('//', at)) return code.slice(at, code.indexOf('\n', at))
  if (!QUOTES.includes(first)) return first
  let end = at + 1
  while (end < code.length && code[end] !== first) {
    if (code[end] === '\\') end += 2
    else if (first === '`' && code.startsWith('${', end)) end = behindExpression(code, end)
    else end++
  }
  return code.slice(at, end + 1)
}

function behindExpression(code: string, at: number): number {
  let depth = 1
  let end = at + 2
  while (end < code.length && depth > 0) {
    const part = partAt(code, end)
    if (part === '{') depth++
    if (part === '}') depth--
    end += part.length
  }
  return end
}

/** What an expression of strings can be: one text, or one for each branch of a condition. */
function textsOf(expression: string, isPython: boolean): string[] {
  const parts: string[] = []
  for (let i = 0; i < expression.length; ) {
    const part = partAt(expression, i)
    parts.push(part)
    i += part.length
  }
  const branches = isPython ? undefined : branchesOf(parts)
  if (branches !== undefined) return branches.flatMap((branch) => textsOf(branch, isPython))
  return [joined(parts, isPython)]
}

/** Both results of `condition ? a : b` that is not within brackets. */
function branchesOf(parts: readonly string[]): [string, string] | undefined {
  let depth = 0
  let question: number | undefined
  let open = 0
  for (const [i, part] of parts.entries()) {
    if ('([{'.includes(part)) depth++
    else if (')]}'.includes(part)) depth--
    else if (depth !== 0) continue
    else if (part === '?' && !'?.'.includes(parts[i + 1] ?? ' ') && parts[i - 1] !== '?') {
      if (question === undefined) question = i
      else open++
    } else if (part === ':' && question !== undefined && open-- === 0)
      return [parts.slice(question + 1, i).join(''), parts.slice(i + 1).join('')]
  }
  return undefined
}

/** Strings as they are, everything else as {@link VARIABLE}. */
function joined(parts: readonly string[], isPython: boolean): string {
  let text = ''
  let isCode = false
  for (const [i, part] of parts.entries()) {
    if (part.length > 1 && QUOTES.includes(part.slice(0, 1))) {
      const isFormatted = isPython ? parts[i - 1] === 'f' : part.startsWith('`')
      text += contentOf(part, isFormatted, isPython)
      isCode = false
    } else if (/[\w$]/.test(part) && !(isPython && part === 'f') && !isCode) {
      text += VARIABLE
      isCode = true
    } else if (part === '+') isCode = false
  }
  return text.replace(/…(?:\s*…)+/g, VARIABLE).trim()
}

function contentOf(literal: string, isFormatted: boolean, isPython: boolean): string {
  const inner = literal
    .slice(1, -1)
    .replace(/\\(['"`\\])/g, '$1')
    .replace(/\\u\{?[\da-f]+\}?/gi, VARIABLE)
  if (!isFormatted) return inner
  if (isPython) return inner.replace(/\{[^{}]*\}/g, VARIABLE)
  let text = ''
  for (let i = 0; i < inner.length; ) {
    if (inner.startsWith('${', i)) {
      text += VARIABLE
      i = behindExpression(inner, i)
    } else text += inner[i++]
  }
  return text
}
