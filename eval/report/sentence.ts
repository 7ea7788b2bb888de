// SPDX-License-Identifier: Apache-2.0

/* Texts of a report in which names that others wrote are marked. */

/** A name or text that others wrote: a system, a dataset, a file, what was said. */
export interface Name {
  readonly name: string
  /** of these many columns a page shows all; fewer for names, which are known by their ends */
  readonly columns?: number
}

/** Text in which the words of others are marked, so that a page can keep them apart from its own. */
export type Sentence = readonly (string | Name)[]

/** As a tagged template: sentence`WER on ${{ name }}`. */
export function sentence(
  strings: TemplateStringsArray,
  ...values: readonly (string | number | Name | Sentence)[]
): Sentence {
  return strings.flatMap((text, i) => [text, ...partsOf(values[i] ?? '')])
}

/** Sentences in a row, with text between them. */
export function joinSentences(sentences: readonly Sentence[], between: string): Sentence {
  return sentences.flatMap((part, i) => (i === 0 ? part : [between, ...part]))
}

/** For terminals and files. */
export function plainText(parts: Sentence): string {
  return parts.map((part) => (typeof part === 'string' ? part : part.name)).join('')
}

function partsOf(value: string | number | Name | Sentence): Sentence {
  if (typeof value === 'number') return [String(value)]
  if (typeof value === 'string') return [value]
  return 'name' in value ? [value] : value
}
