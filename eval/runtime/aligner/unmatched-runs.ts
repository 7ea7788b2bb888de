// SPDX-License-Identifier: Apache-2.0

/** A run of a list that has no match, and what stands in its place in the other list: first, and behind the last. */
export interface UnmatchedRun {
  readonly from: number
  readonly to: number
  readonly otherFrom: number
  readonly otherTo: number
}

/**
 * Runs of one list in whose place the other has at most this share of their length: more may be the same words, read differently.
 */
const OTHER_SHARE = 0.25

/**
 * Runs of one list that have few or none of the other list in their place.
 * @param matches for each the index of the one of the other list, or -1; ascending
 * @param count of the other list
 */
export function unmatchedRuns(matches: Int32Array, count: number): UnmatchedRun[] {
  const runs: UnmatchedRun[] = []
  let [from, otherFrom] = [0, 0]
  for (let to = 0; to <= matches.length; to++) {
    const otherTo = to < matches.length ? (matches[to] as number) : count
    if (otherTo < 0) continue
    if (to > from && otherTo - otherFrom <= OTHER_SHARE * (to - from))
      runs.push({ from, to, otherFrom, otherTo })
    ;[from, otherFrom] = [to + 1, otherTo + 1]
  }
  return runs
}
