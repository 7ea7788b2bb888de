// SPDX-License-Identifier: Apache-2.0

/** Counts of an alignment; words = hits + substitutions + deletions, of the reference. */
export interface WordErrors {
  readonly hits: number
  readonly substitutions: number
  readonly deletions: number
  readonly insertions: number
  readonly words: number
}

/** Counts of no words at all. */
export const NO_ERRORS: WordErrors = { hits: 0, substitutions: 0, deletions: 0, insertions: 0, words: 0 }

/** One step of an alignment: h(it) and s(ubstitution) take a word of both sides, d(eletion) of the reference, i(nsertion) of the hypothesis. */
export type Operation = 'h' | 's' | 'd' | 'i'

/**
 * Minimum-edit alignment of a hypothesis with its reference (Levenshtein; all errors cost 1). Among equal alignments
 * it is the one that rapidfuzz, and with it jiwer, takes: a deletion first, then an insertion, read from the end.
 * @returns the operations from the beginning on
 */
export function alignWords(reference: readonly string[], hypothesis: readonly string[]): Operation[] {
  const [before, after] = commonEnds(reference, hypothesis)
  const left = reference.slice(before, reference.length - after)
  const right = hypothesis.slice(before, hypothesis.length - after)
  const hits = (count: number) => new Array<Operation>(count).fill('h')
  return [...hits(before), ...traceBack(left, right), ...hits(after)]
}

function traceBack(reference: readonly string[], hypothesis: readonly string[]): Operation[] {
  const width = reference.length + 1
  const cost = costTable(reference, hypothesis)
  const at = (row: number, column: number) => cost[row * width + column] as number
  const out: Operation[] = []
  let [row, column] = [hypothesis.length, reference.length]
  while (row > 0 && column > 0) {
    if (at(row, column) === at(row, column - 1) + 1) {
      out.push('d')
      column--
    } else if (row > 1 && at(row - 1, column) === at(row - 1, column - 1) - 1) {
      out.push('i')
      row--
    } else out.push(reference[--column] === hypothesis[--row] ? 'h' : 's')
  }
  while (column-- > 0) out.push('d')
  while (row-- > 0) out.push('i')
  return out.reverse()
}

/** What an alignment adds up to. */
export function countErrors(operations: readonly Operation[]): WordErrors {
  const count = { h: 0, s: 0, d: 0, i: 0 }
  for (const operation of operations) count[operation]++
  const { h: hits, s: substitutions, d: deletions, i: insertions } = count
  return { hits, substitutions, deletions, insertions, words: hits + substitutions + deletions }
}

/** Corpus counts: errors of all utterances over words of all, as jiwer sums them. */
export function addErrors(a: WordErrors, b: WordErrors): WordErrors {
  return {
    hits: a.hits + b.hits,
    substitutions: a.substitutions + b.substitutions,
    deletions: a.deletions + b.deletions,
    insertions: a.insertions + b.insertions,
    words: a.words + b.words,
  }
}

/** Substitutions, deletions and insertions together. */
export function totalErrors({ substitutions, deletions, insertions }: WordErrors): number {
  return substitutions + deletions + insertions
}

/** (substitutions + deletions + insertions) / words. */
export function wordErrorRate(errors: WordErrors): number {
  return errorRate(totalErrors(errors), errors.words)
}

/** Errors over the length of the references; without any reference, the number of insertions, as jiwer 4 defines it. */
export function errorRate(errors: number, length: number): number {
  return errors / Math.max(1, length)
}

/** Levenshtein distance in constant memory, for characters. */
export function editDistance(reference: readonly string[], hypothesis: readonly string[]): number {
  const [before, after] = commonEnds(reference, hypothesis)
  const left = reference.slice(before, reference.length - after)
  let row = Uint32Array.from({ length: left.length + 1 }, (_, i) => i)
  let next = new Uint32Array(row.length)
  for (let i = before; i < hypothesis.length - after; i++) {
    fillRow(left, hypothesis[i], row, next)
    ;[row, next] = [next, row]
  }
  return row[left.length] as number
}

/** One row for each word of the hypothesis, one column for each of the reference. */
function costTable(reference: readonly string[], hypothesis: readonly string[]): Uint32Array {
  const width = reference.length + 1
  const cost = new Uint32Array((hypothesis.length + 1) * width)
  for (let column = 1; column < width; column++) cost[column] = column
  for (const [i, word] of hypothesis.entries()) {
    const rows = [i, i + 1].map((row) => cost.subarray(row * width, (row + 1) * width))
    fillRow(reference, word, rows[0] as Uint32Array, rows[1] as Uint32Array)
  }
  return cost
}

function fillRow(
  reference: readonly string[],
  word: string | undefined,
  above: Uint32Array,
  row: Uint32Array,
): void {
  let left = (above[0] as number) + 1
  row[0] = left
  for (let i = 0; i < reference.length; i++) {
    const diagonal = (above[i] as number) + (reference[i] === word ? 0 : 1)
    const up = (above[i + 1] as number) + 1
    left = Math.min(diagonal, up, left + 1)
    row[i + 1] = left
  }
}

/** How many words at the beginning, and then at the end, are the same. */
function commonEnds(a: readonly string[], b: readonly string[]): [number, number] {
  const shorter = Math.min(a.length, b.length)
  let before = 0
  while (before < shorter && a[before] === b[before]) before++
  let after = 0
  while (after < shorter - before && a[a.length - 1 - after] === b[b.length - 1 - after]) after++
  return [before, after]
}
