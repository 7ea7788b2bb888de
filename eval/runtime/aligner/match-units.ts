/** Cells of a table that is filled at once; larger ones are halved, so that memory does not grow with the product of the lengths. */
const CELLS = 1 << 20
/** Characters of writing without spaces are compared one by one, since two readers may tell its words apart differently. */
const UNSPACED =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Thai}\p{scx=Lao}\p{scx=Khmer}\p{scx=Myanmar}]/u

/** What is compared of a unit: its characters where it is of writing without spaces, else the whole. */
export function comparable(spoken: string): string[] {
  const plain = spoken.normalize('NFKC').toLowerCase()
  return UNSPACED.test(plain) ? [...plain] : [plain]
}

/**
 * Minimum-edit alignment of two lists (Levenshtein; all errors cost 1) in memory that grows with their lengths alone, by
 * divide and conquer (Hirschberg, CACM 18 (6), 1975).
 * @returns for each of `a` the index of the equal one of `b` that it goes with, or -1; ascending
 */
export function matchUnits(a: readonly string[], b: readonly string[]): Int32Array {
  const ids = new Map<string, number>()
  const numbered = (list: readonly string[]) =>
    Int32Array.from(list, (each) => {
      const id = ids.get(each) ?? ids.size
      ids.set(each, id)
      return id
    })
  const matches = new Int32Array(a.length).fill(-1)
  match({ a: numbered(a), from: 0 }, { b: numbered(b), from: 0 }, matches)
  return matches
}

function match(
  { a, from: aFrom }: { readonly a: Int32Array; readonly from: number },
  { b, from: bFrom }: { readonly b: Int32Array; readonly from: number },
  matches: Int32Array,
): void {
  let [low, highA, highB] = [0, a.length, b.length]
  while (low < highA && low < highB && a[low] === b[low]) {
    matches[aFrom + low] = bFrom + low
    low++
  }
  while (highA > low && highB > low && a[highA - 1] === b[highB - 1])
    matches[aFrom + --highA] = bFrom + --highB
  if (low === highA || low === highB) return
  const left = { a: a.subarray(low, highA), from: aFrom + low }
  const right = { b: b.subarray(low, highB), from: bFrom + low }
  if (left.a.length === 1 || (left.a.length + 1) * (right.b.length + 1) <= CELLS) {
    matchTable(left, right, matches)
    return
  }
  const middle = left.a.length >> 1
  const before = lastRow(left.a.subarray(0, middle), right.b)
  const behind = lastRow(left.a.slice(middle).reverse(), right.b.slice().reverse())
  const count = right.b.length
  let best = 0
  const cost = (at: number) => (before[at] as number) + (behind[count - at] as number)
  for (let at = 1; at <= count; at++) if (cost(at) < cost(best)) best = at
  match(
    { a: left.a.subarray(0, middle), from: left.from },
    { b: right.b.subarray(0, best), from: right.from },
    matches,
  )
  match(
    { a: left.a.subarray(middle), from: left.from + middle },
    { b: right.b.subarray(best), from: right.from + best },
    matches,
  )
}

/** Distances of all of `a` from the first n of `b`, for each n. */
function lastRow(a: Int32Array, b: Int32Array): Uint32Array {
  const row = Uint32Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const one of a) fillRow(one, b, row, row)
  return row
}

/** The next row of the table of distances; `above` and `row` may be one. */
function fillRow(one: number, b: Int32Array, above: Uint32Array, row: Uint32Array): void {
  let diagonal = above[0] as number
  let left = diagonal + 1
  row[0] = left
  for (let i = 0; i < b.length; i++) {
    const up = above[i + 1] as number
    const changed = b[i] === one ? diagonal : diagonal + 1
    const other = (up < left ? up : left) + 1
    left = changed < other ? changed : other
    row[i + 1] = left
    diagonal = up
  }
}

function matchTable(
  { a, from: aFrom }: { readonly a: Int32Array; readonly from: number },
  { b, from: bFrom }: { readonly b: Int32Array; readonly from: number },
  matches: Int32Array,
): void {
  const width = b.length + 1
  const rows = new Uint32Array((a.length + 1) * width)
  for (let i = 0; i < width; i++) rows[i] = i
  for (const [i, one] of a.entries())
    fillRow(
      one,
      b,
      rows.subarray(i * width, (i + 1) * width),
      rows.subarray((i + 1) * width, (i + 2) * width),
    )
  let [row, column] = [a.length, b.length]
  const at = (i: number, j: number) => rows[i * width + j] as number
  while (row > 0 && column > 0) {
    if (a[row - 1] === b[column - 1] && at(row, column) === at(row - 1, column - 1))
      matches[aFrom + --row] = bFrom + --column
    else if (at(row, column) === at(row - 1, column - 1) + 1) {
      row--
      column--
    } else if (at(row, column) === at(row - 1, column) + 1) row--
    else column--
  }
}
