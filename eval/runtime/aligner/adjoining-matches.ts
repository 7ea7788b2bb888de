// SPDX-License-Identifier: Apache-2.0

/**
 * Matches, and equal ones that adjoin them on either side. What could adjoin both neighbours, in different places, stays open: it
 * was said once and stands twice in the text, or the reverse.
 * @param matches for each of `a` the index of the equal one of `b`, or -1; ascending
 */
export function withAdjoining(a: Int32Array, b: Int32Array, matches: Int32Array): Int32Array {
  const before = extended(a, b, matches)
  const flipped = matches.map((at) => (at < 0 ? -1 : b.length - 1 - at)).reverse()
  const behind = extended(a.toReversed(), b.toReversed(), flipped)
    .reverse()
    .map((at) => (at < 0 ? -1 : b.length - 1 - at))
  const [takenBefore, takenBehind] = [takersOf(before, b.length), takersOf(behind, b.length)]
  return matches.map((_, i) => {
    const [one, other] = [before[i] as number, behind[i] as number]
    if (one >= 0 && other >= 0) return one === other ? one : -1
    if (one >= 0) return takenBehind[one] === -1 ? one : -1
    return other >= 0 && takenBefore[other] === -1 ? other : -1
  })
}

/** With those that follow each match without a gap in either list. */
function extended(a: Int32Array, b: Int32Array, matches: Int32Array): Int32Array {
  const out = matches.slice()
  const taken = takersOf(matches, b.length)
  for (let i = 1; i < a.length; i++) {
    const at = (out[i - 1] as number) + 1
    if ((out[i] as number) < 0 && at > 0 && taken[at] === -1 && a[i] === b[at]) out[i] = at
  }
  return out
}

/** For each of the other list the index of its match, or -1. */
export function takersOf(matches: Int32Array, count: number): Int32Array {
  const takers = new Int32Array(count).fill(-1)
  for (const [i, other] of matches.entries()) if (other >= 0) takers[other] = i
  return takers
}
