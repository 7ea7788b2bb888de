// SPDX-License-Identifier: Apache-2.0

import stringWidth from 'string-width'

/** Narrower than any terminal that is read; some report 0. */
const NARROWEST = 20
const ELLIPSIS = '...'
const INDENT = '  '

/** Columns of the terminal behind a stream; a file or a pipe has no limit, and its lines are never cut. */
export function columnsOf(stream: {
  readonly isTTY?: boolean
  readonly columns?: number | undefined
}): number {
  if (stream.isTTY !== true || !stream.columns) return Number.POSITIVE_INFINITY
  return Math.max(NARROWEST, stream.columns)
}

/**
 * Lines of at most `width` columns, broken at spaces, and beside wide characters, whose scripts have none. A longer word
 * keeps a line of its own, so that it can be copied.
 */
export function wrapWords(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text]
  const lines: string[] = []
  let line = ''
  for (const unit of unitsOf(text)) {
    if (line !== '' && stringWidth(line + unit.trimEnd()) > width) {
      lines.push(line.trimEnd())
      line = ''
    }
    line += unit
  }
  return [...lines, line.trimEnd()]
}

/** Columns that a text takes at least, when it is wrapped. */
export function longestUnit(text: string): number {
  return Math.max(0, ...unitsOf(text).map((unit) => stringWidth(unit.trimEnd())))
}

/** Words with the spaces behind them, and wide characters one by one. */
function unitsOf(text: string): string[] {
  return (text.match(/\S+\s*|^\s+/gu) ?? []).flatMap((word) =>
    stringWidth(word) === [...word].length ? [word] : unitsOfWide(word),
  )
}

function unitsOfWide(word: string): string[] {
  const units: string[] = []
  let canJoin = false
  for (const { segment } of new Intl.Segmenter().segment(word)) {
    const isWide = stringWidth(segment) > 1
    if ((canJoin && !isWide) || (units.length > 0 && /^[\s\p{P}]/u.test(segment)))
      units.push(`${units.pop()}${segment}`)
    else units.push(segment)
    canJoin = !isWide
  }
  return units
}

/** Lines as they begin; where one is too wide, what follows is indented by two more columns. */
export function wrapLines(lines: readonly string[], width: number): string[] {
  return lines.flatMap((line) => {
    if (stringWidth(line) <= width) return [line]
    const lead = /^ */.exec(line)?.[0] ?? ''
    const [first = '', ...rest] = wrapWords(line.slice(lead.length), width - lead.length - INDENT.length)
    return [lead + first, ...rest.map((part) => lead + INDENT + part)]
  })
}

/** One line of at most `width` columns: what is over is left out and marked. */
export function cutLine(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let cut = ''
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    if (stringWidth(cut + segment + ELLIPSIS) > width) break
    cut += segment
  }
  return `${cut}${ELLIPSIS}`
}
