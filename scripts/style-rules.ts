// SPDX-License-Identifier: Apache-2.0

/* The mechanical part of docs/style.md: phrases that are not used, sentences that are too long, cells that are lists. */

/** A place in a text that breaks a rule. */
export interface Breach {
  /** counted from 1 */
  readonly line: number
  readonly problem: string
}

const LONGEST_SENTENCE = 25
const LONGEST_CELL = 120

const PHRASES: readonly (readonly [phrase: RegExp, instead: string])[] = [
  [/(?<!there |There )\b(?:is|are|was|were) no (?!longer|more\b|one\b|different)/, 'is not a ...'],
  [/\b(?:told|tells?)\b/i, 'called with, reported, shows'],
  [/\botherwise\b/i, 'else, differently'],
  [/\b(?:hears?|heard)\b(?!-)/i, 'transcribes, recognized'],
  [/(?<!\bnobody )\bknows\b|\b(?:does|did) not know\b/i, 'has, records, supports'],
  [/(?<!\b(?:user|reader|visitor|who|one|somebody|nobody) )\bwants\b/i, 'needs, requires, takes'],
  [/(?<!@param |\b(?:user|reader|visitor|who|one|somebody|nobody) )\basks\b/i, 'requests, reads, calls'],
  [/\bwhoever\b/i, 'the one who'],
  [/\bmend(?:s|ed)?\b/i, 'fix'],
  [/\b(?:go|goes|went) on\b/i, 'continue'],
  [/\b(?:all but|but for|nothing but)\b/i, 'almost, except, only'],
  [/\bhand(?:s|ed)? (?:over|back)\b/i, 'pass, return'],
  [/\b(?:anew|aught|naught|thereof|to and fro)\b/i, 'again, or a plain word'],
]

/** Phrases that docs/style.md rules out, in any text. */
export function phraseBreaches(text: string): Breach[] {
  return text.split('\n').flatMap((line, i) =>
    PHRASES.flatMap(([phrase, instead]) => {
      const [found] = phrase.exec(line) ?? []
      return found === undefined ? [] : [{ line: i + 1, problem: `"${found.trim()}"; write: ${instead}` }]
    }),
  )
}

const PROSE = {
  script: /\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g,
  python: /#.*|"""[\s\S]*?"""|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g,
}

/** Comments and texts of a program on their lines: names in code, and texts of one word, are left out. */
export function proseOf(code: string, language: keyof typeof PROSE): string {
  const kept: string[] = []
  let at = 0
  for (const { 0: found, index } of code.matchAll(PROSE[language])) {
    const prose = /\s/.test(found) ? found.replace(/\$\{[^}]*\}/g, '~') : ''
    kept.push(blank(code.slice(at, index)), prose === '' ? blank(found) : prose)
    at = index + found.length
  }
  return kept.join('')
}

const TITLES =
  /\b(?:describe|it|test)(?:\.\w+)*(?:<[^>]*>)?(?:\([^()]*\)|\(\[.*\]\)|\(\[[\s\S]*?\n\s*\]\))?\(\s*('(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)/g

/** Titles of tests on their lines: those of `describe`, `it` and `test`, also behind `each`. All else is left out. */
export function titlesOf(code: string): string {
  const kept: string[] = []
  let at = 0
  for (const { 0: call, 1: title = '', index } of code.matchAll(TITLES)) {
    const end = index + call.length
    kept.push(blank(code.slice(at, end - title.length)), title.replace(/\$\{[^}]*\}/g, '~'))
    at = end
  }
  return kept.join('')
}

/** Its line breaks alone. */
function blank(text: string): string {
  return text.replace(/[^\n]+/g, ' ')
}

/** Long sentences and cells of Markdown. */
export function markdownBreaches(text: string): Breach[] {
  return blocksOf(text).flatMap(({ line, text: block, isRow }) =>
    isRow ? cells(line, block) : sentences(line, block),
  )
}

interface Block {
  readonly line: number
  readonly text: string
  readonly isRow: boolean
}

const FENCE = /^\s*`{3,}/
const STARTS = /^\s*(?:[-*]|\d+\.|#{1,6}|>) |^\s*$|^ {4}\S|^\s*<|^\|/

/** Paragraphs, items and rows, without code. */
function blocksOf(text: string): Block[] {
  const blocks: { line: number; text: string; isRow: boolean }[] = []
  let isCode = false
  for (const [i, line] of text.split('\n').entries()) {
    const isFence = FENCE.test(line)
    if (isFence) isCode = !isCode
    const starts = isFence || isCode || STARTS.test(line)
    const last = blocks.at(-1)
    if (!starts && last !== undefined && last.text !== '' && !last.isRow) last.text += ` ${line.trim()}`
    else {
      const isText = !isFence && !isCode && !/^ {4}\S|^\s*<|^[|\s:-]+$/.test(line)
      blocks.push({ line: i + 1, text: isText ? line.trim() : '', isRow: line.startsWith('|') })
    }
  }
  return blocks.filter((block) => block.text !== '')
}

function sentences(line: number, block: string): Breach[] {
  return plain(block)
    .split(/(?<=[.!?])["')*_]*\s+(?=[\p{Lu}\d"'(*_~])/u)
    .map((sentence) => ({
      sentence,
      words: sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}~]/u.test(word)).length,
    }))
    .filter(({ words }) => words > LONGEST_SENTENCE)
    .map(({ sentence, words }) => ({
      line,
      problem: `a sentence of ${words} words, at most ${LONGEST_SENTENCE}: ${sentence.slice(0, 60)}...`,
    }))
}

function cells(line: number, row: string): Breach[] {
  return plain(row)
    .split(/(?<!\\)\|/)
    .filter((cell) => cell.trim().length > LONGEST_CELL)
    .map((cell) => ({
      line,
      problem: `a cell of ${cell.trim().length} characters, at most ${LONGEST_CELL}: ${cell.trim().slice(0, 60)}...`,
    }))
}

/** Links as their texts, code as one word. */
function plain(text: string): string {
  return text
    .replace(/`[^`]+`/g, '~')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^\s*(?:[-*]|\d+\.|#{1,6}|>) /, '')
}
