// SPDX-License-Identifier: Apache-2.0

/* Short labels for long names, in columns of text. */

/** Letters of East Asia and pictures take two columns; others one. */
const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u
/** Embeddings, overrides and isolates: they change the direction of what follows (Unicode UAX #9, section 2). */
const DIRECTIONS = /[\u202a-\u202e\u2066-\u2069]/gu
const CONTROLS = /\p{Cc}/gu

/** Columns that a text takes, as far as this can be known without a font. */
export function columnsOf(text: string): number {
  return graphemesOf(text).reduce((sum, grapheme) => sum + (WIDE.test(grapheme) ? 2 : 1), 0)
}

/** The beginning and the end of a text that is longer than `columns`, with … between. */
export function shortened(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text
  const graphemes = graphemesOf(text)
  const first = taken(graphemes, Math.ceil((columns - 1) * 0.6)).join('')
  const last = taken(graphemes.toReversed(), Math.floor((columns - 1) * 0.4))
    .toReversed()
    .join('')
  return `${first}…${last}`
}

/** A short label for each name, all different from each other. */
export function distinctLabels(names: readonly string[], columns: number): ReadonlyMap<string, string> {
  const labels = names.map((name) => shortened(plainLabel(name), columns))
  return new Map(
    names.map((name, i) => {
      const label = labels[i] ?? ''
      const isShared = labels.indexOf(label) !== labels.lastIndexOf(label) && new Set(names).size > 1
      return [name, isShared ? `${i + 1}: ${shortened(plainLabel(name), columns - 4)}` : label]
    }),
  )
}

/** For places that take text alone (options, titles, labels): one line that cannot change the text around it. */
export function isolated(text: string): string {
  return `\u2068${plainLabel(text)}\u2069`
}

function plainLabel(text: string): string {
  return text.replace(DIRECTIONS, '').replace(CONTROLS, ' ').trim()
}

function taken(graphemes: readonly string[], columns: number): string[] {
  const out: string[] = []
  let left = columns
  for (const grapheme of graphemes) {
    left -= WIDE.test(grapheme) ? 2 : 1
    if (left < 0) break
    out.push(grapheme)
  }
  return out
}

/** What readers see as one character: an accent stays with its letter, a family stays one picture. */
function graphemesOf(text: string): string[] {
  return Array.from(new Intl.Segmenter('und').segment(text), ({ segment }) => segment)
}
