// SPDX-License-Identifier: Apache-2.0

/** Cells of a column that are computed together. */
const BITS = 32

/**
 * Edit distances (Levenshtein; all errors cost 1) of all of `a` from the first n of `b`, for each n. A column of the table of
 * distances is held as the steps from each cell to the next, a bit each for up and down, and 32 of them are computed at once
 * (Hyyrö, A Bit-Vector Algorithm for Computing Levenshtein and Damerau Edit Distances, 2003).
 * @returns [b.length + 1]
 */
export function editDistances(a: Int32Array, b: Int32Array): Uint32Array {
  const blocks = Math.ceil(b.length / BITS)
  const up = new Int32Array(blocks).fill(-1)
  const down = new Int32Array(blocks)
  const masks = makeMasks(b, blocks)
  for (const one of a) nextColumn(up, down, masks(one))
  const distances = new Uint32Array(b.length + 1)
  let distance = a.length
  distances[0] = distance
  for (let i = 0; i < b.length; i++) {
    distance += (((up[i >> 5] as number) >>> i) & 1) - (((down[i >> 5] as number) >>> i) & 1)
    distances[i + 1] = distance
  }
  return distances
}

/** Bits where a list has a value, to be used before the next are asked for. Those of frequent values are kept: there are few. */
function makeMasks(list: Int32Array, blocks: number): (value: number) => Int32Array {
  const places = new Map<number, number[]>()
  for (const [i, value] of list.entries()) {
    const own = places.get(value)
    if (own) own.push(i)
    else places.set(value, [i])
  }
  const kept = new Map<number, Int32Array>()
  const shared = new Int32Array(blocks)
  let inShared: readonly number[] = []
  const set = (mask: Int32Array, own: readonly number[]) => {
    for (const at of own) mask[at >> 5] = (mask[at >> 5] as number) | (1 << at)
    return mask
  }
  for (const [value, own] of places)
    if (own.length > blocks) kept.set(value, set(new Int32Array(blocks), own))
  return (value) => {
    const mask = kept.get(value)
    if (mask) return mask
    for (const at of inShared) shared[at >> 5] = 0
    inShared = places.get(value) ?? []
    return set(shared, inShared)
  }
}

/** The column of one more of `a`. The first cell of every column is one more than that of the column before. */
function nextColumn(up: Int32Array, down: Int32Array, equal: Int32Array): void {
  let [rises, falls] = [1, 0] // from the column before, at the last cell of the block before
  for (let i = 0; i < up.length; i++) {
    const pv = up[i] as number
    const mv = down[i] as number
    const eq = equal[i] as number
    const xv = eq | mv
    const inFall = eq | falls
    const xh = (((inFall & pv) + pv) ^ pv) | inFall
    let ph = mv | ~(xh | pv)
    let mh = pv & xh
    const [nextRises, nextFalls] = [ph >>> 31, mh >>> 31]
    ph = (ph << 1) | rises
    mh = (mh << 1) | falls
    up[i] = mh | ~(xv | ph)
    down[i] = ph & xv
    rises = nextRises
    falls = nextFalls
  }
}
