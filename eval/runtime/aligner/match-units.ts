// SPDX-License-Identifier: Apache-2.0

import { withAdjoining } from './adjoining-matches.ts'
import { editDistances } from './edit-distances.ts'

/* Aligning a text with what was recognized. */

/** Cells of a table that is filled at once; larger ones are halved, so that memory does not grow with the product of the lengths. */
const CELLS = 1 << 20
/** Characters of writing without spaces are compared one by one, since two programs may divide it into words differently. */
const UNSPACED =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/u

/** What is compared of a unit: its characters where it is of writing without spaces, else the whole. */
export function comparable(spoken: string): string[] {
  const plain = spoken.normalize('NFKC').toLowerCase()
  return UNSPACED.test(plain) ? [...plain] : [plain]
}

/** For each of one list the index of the equal one of the other that it goes with, or -1; ascending. */
export interface Matches {
  /** of a minimum-edit alignment */
  readonly all: Int32Array
  /**
   * those that another alignment as short, found from the other end, has too, and what adjoins them: of what is repeated, few
   * are. Some are not in `all`
   */
  readonly sure: Int32Array
}

/**
 * Minimum-edit alignments of two lists (Levenshtein; all errors cost 1) in memory that grows with their lengths alone, by
 * divide and conquer (Hirschberg, CACM 18 (6), 1975).
 */
export function matchUnits(a: readonly string[], b: readonly string[]): Matches {
  const ids = new Map<string, number>()
  const numbered = (list: readonly string[]) =>
    Int32Array.from(list, (each) => {
      const id = ids.get(each) ?? ids.size
      ids.set(each, id)
      return id
    })
  const [left, right] = [numbered(a), numbered(b)]
  const all = matchedFromEnd(left, right)
  const others = matchedFromEnd(left.toReversed(), right.toReversed()).reverse()
  const sure = all.map((at, i) => (at >= 0 && others[i] === b.length - 1 - at ? at : -1))
  return { all, sure: withAdjoining(left, right, sure) }
}

interface Part {
  readonly list: Int32Array
  /** of its first, in the whole */
  readonly from: number
}

/** Of several alignments, that whose matches are nearest to the end, nearly. */
function matchedFromEnd(a: Int32Array, b: Int32Array): Int32Array {
  const matches = new Int32Array(a.length).fill(-1)
  match({ list: a, from: 0 }, { list: b, from: 0 }, matches)
  return matches
}

function match(a: Part, b: Part, matches: Int32Array): void {
  let [endA, endB] = [a.list.length, b.list.length]
  while (endA > 0 && endB > 0 && a.list[endA - 1] === b.list[endB - 1])
    matches[a.from + --endA] = b.from + --endB
  if (endA === 0 || endB === 0) return
  const [left, right] = [partOf(a, 0, endA), partOf(b, 0, endB)]
  if (endA === 1 || (endA + 1) * (endB + 1) <= CELLS) {
    matchTable(left, right, matches)
    return
  }
  const middle = endA >> 1
  const best = bestSplit(left.list, right.list, middle)
  match(partOf(left, 0, middle), partOf(right, 0, best), matches)
  match(partOf(left, middle, endA), partOf(right, best, endB), matches)
}

function partOf({ list, from }: Part, start: number, end: number): Part {
  return { list: list.subarray(start, end), from: from + start }
}

/** How much of `b` goes with the first `middle` of `a`. */
function bestSplit(a: Int32Array, b: Int32Array, middle: number): number {
  const before = editDistances(a.subarray(0, middle), b)
  const behind = editDistances(a.slice(middle).reverse(), b.toReversed())
  const cost = (at: number) => (before[at] as number) + (behind[b.length - at] as number)
  let best = 0
  for (let at = 1; at <= b.length; at++) if (cost(at) < cost(best)) best = at
  return best
}

function matchTable(
  { list: a, from: aFrom }: Part,
  { list: b, from: bFrom }: Part,
  matches: Int32Array,
): void {
  const at = distanceTable(a, b)
  let [row, column] = [a.length, b.length]
  while (row > 0 && column > 0) {
    const [here, diagonal] = [at(row, column), at(row - 1, column - 1)]
    if (a[row - 1] === b[column - 1] && here === diagonal) matches[aFrom + --row] = bFrom + --column
    else if (here === diagonal + 1) {
      row--
      column--
    } else if (here === at(row - 1, column) + 1) row--
    else column--
  }
}

/** Distances of the first i of `a` from the first j of `b`. */
function distanceTable(a: Int32Array, b: Int32Array): (i: number, j: number) => number {
  const width = b.length + 1
  const cells = new Uint32Array((a.length + 1) * width)
  for (let j = 0; j < width; j++) cells[j] = j
  for (let i = 1, at = width; i <= a.length; i++) {
    cells[at++] = i
    for (let j = 1; j < width; j++, at++) {
      const changed = (cells[at - width - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const other = Math.min(cells[at - width] as number, cells[at - 1] as number) + 1
      cells[at] = changed < other ? changed : other
    }
  }
  return (i, j) => cells[i * width + j] as number
}
