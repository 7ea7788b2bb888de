// SPDX-License-Identifier: Apache-2.0

/* Command lines of the documentation, as a shell divides them into words. */

/** The package's own way to start a command, and npm's. */
const START =
  /^(?:\S+=\S+ )*(?:npx )?(?:npm run (?:--silent |-s )?([\w:-]+)(?: --(?= |$))?|qwen3-asr-onnx ([\w-]+))/

export interface Invocation {
  readonly command: string
  readonly words: readonly string[]
}

/**
 * The commands of one line; what is piped to or redirected is left out.
 * @param names commands that are looked for
 */
export function invocationsIn(line: string, names: readonly string[]): Invocation[] {
  return partsOf(line).flatMap((part) => {
    const [start = '', script, binary] = START.exec(part) ?? []
    const command = script ?? binary ?? ''
    if (!names.includes(command)) return []
    return [{ command, words: wordsOf(part.slice(start.length)) }]
  })
}

/** What stands between the operators of a shell, without a comment. */
function partsOf(line: string): string[] {
  const parts = ['']
  for (const [token] of line.matchAll(/"[^"]*"|'[^']*'|&&|\|\||[|;&]|\s#.*$|[^"'|;&\s]+|\s/g)) {
    if (/^\s#/.test(token)) break
    if (/^(&&|\|\||[|;&])$/.test(token)) parts.push('')
    else parts.push((parts.pop() ?? '') + token)
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}

function wordsOf(text: string): string[] {
  const words = Array.from(text.matchAll(/(?:"[^"]*"|'[^']*'|[^"'\s])+/g), ([word]) =>
    word.replace(/["']/g, ''),
  )
  const redirection = words.findIndex((word) => /^[<>]/.test(word))
  return redirection < 0 ? words : words.slice(0, redirection)
}
