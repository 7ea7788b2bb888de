// SPDX-License-Identifier: Apache-2.0

/**
 * Make the times of slots non-decreasing, as the reference does: those of the longest non-decreasing subsequence
 * stay, and the others follow from them. Of several such subsequences it takes the one whose every time has the
 * earliest predecessor, and whose end is the earliest. Up to two times in a row take that of the nearer neighbour
 * that stays, the left one of two as near. Three and more are laid evenly between both neighbours, and cut to whole
 * numbers. Source: transformers `_fix_timestamps` (models/qwen3_asr/processing_qwen3_asr.py).
 * @param times milliseconds of the slots, in their order
 */
export function fixTimes(times: readonly number[]): number[] {
  const stays = longestRising(times)
  const fixed = [...times]
  for (let first = 0; first < times.length; first++) {
    if (stays[first]) continue
    let end = first
    while (end < times.length && !stays[end]) end++
    const [left, right] = [times[first - 1], times[end]]
    for (let i = first; i < end; i++) fixed[i] = between(left, right, i - first + 1, end - first)
    first = end
  }
  return fixed.map(Math.trunc)
}

/** The time at `place`, from 1, of `count` between two that stay; one of them may be missing. */
function between(left: number | undefined, right: number | undefined, place: number, count: number): number {
  if (left === undefined) return right as number
  if (right === undefined) return left
  if (count <= 2) return place <= count - place + 1 ? left : right
  return left + ((right - left) / (count + 1)) * place
}

/** Which values are part of the longest non-decreasing subsequence. */
function longestRising(values: readonly number[]): boolean[] {
  const lengths = new Int32Array(values.length).fill(1)
  const before = new Int32Array(values.length).fill(-1)
  for (let i = 1; i < values.length; i++) {
    for (let j = 0; j < i; j++) {
      const length = (lengths[j] as number) + 1
      if ((values[j] as number) > (values[i] as number) || length <= (lengths[i] as number)) continue
      lengths[i] = length
      before[i] = j
    }
  }
  const stays = values.map(() => false)
  const longest = lengths.reduce((a, b) => Math.max(a, b), 0)
  for (let at = lengths.indexOf(longest); at >= 0; at = before[at] as number) stays[at] = true
  return stays
}
