// SPDX-License-Identifier: Apache-2.0

/*
 * Which exported names lack a docstring: a comment that begins with two asterisks, ends on the line above, and has a sentence
 * before its first tag.
 */

/** An exported name without a docstring. */
export interface Undocumented {
  /** from 1 */
  readonly line: number
  /** as the source has it: `const LIMIT`, `function read`, `const { join }` */
  readonly declaration: string
}

const EXPORTED =
  /^export (?:default )?(?:declare )?(?:async )?(?:abstract )?((?:function\*?|const|let|interface|type|class|namespace) (?:[\w$]+|\{[^}]*\} *=|\[[^\]]*\] *=))/
/** Comments to tools stand between a docstring and its declaration. */
const TO_TOOLS = /^\/\/ (?:biome-ignore|@ts-)/

/**
 * The exported names of a module without a docstring, in their order. What it only passes on from another module has its
 * docstring there.
 * @param source TypeScript or JavaScript, formatted: a declaration begins in the first column
 */
export function undocumented(source: string): Undocumented[] {
  const lines = source.split('\n')
  return lines.flatMap((text, at) => {
    const declaration = EXPORTED.exec(text)?.[1]?.replace(/ *=$/, '')
    return declaration === undefined || hasDocstring(lines.slice(0, at))
      ? []
      : [{ line: at + 1, declaration }]
  })
}

/** @param above the lines before the declaration */
function hasDocstring(above: readonly string[]): boolean {
  const last = above.findLastIndex((line) => !TO_TOOLS.test(line))
  if (!above[last]?.endsWith('*/')) return false
  const first = above.findLastIndex((line, at) => at <= last && line.startsWith('/*'))
  const comment = above.slice(first, last + 1).join(' ')
  return /^\/\*\*[\s*]*[^\s*@]/.test(comment) && /[\p{L}\p{N}]/u.test(comment)
}
