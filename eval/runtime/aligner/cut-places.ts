// SPDX-License-Identifier: Apache-2.0

import type { Span } from '../audio/pieces.ts'
import type { UnmatchedRun } from './unmatched-runs.ts'

/* Where a long text and its recording can be cut together. */

/** A place between two pieces where text and recording can be cut together. */
export interface Place {
  /** seconds, in the recording */
  readonly at: number
  /** the first unit of the text behind it */
  readonly unit: number
  /** how many units in a row were surely recognized on the side that has fewer, up to {@link SURE}; 0 for a guess */
  readonly sureness: number
}

/** As many units in a row are not there by chance; fewer than {@link FEWEST} may be. */
export const [SURE, FEWEST] = [4, 2]

/** A text and what was recognized. A token is what is compared: a unit, or a character of one. */
interface Matched {
  /** of the text's tokens */
  readonly units: readonly number[]
  /** for each of the text's tokens the one that was surely recognized, or -1 */
  readonly sure: Int32Array
  /** runs of the text's tokens that were not said */
  readonly unsaid: readonly UnmatchedRun[]
  /** when each token was recognized, in seconds */
  readonly times: readonly Span[]
  /** of the pieces: where, in seconds, and how many tokens were recognized before */
  readonly ends: readonly { readonly at: number; readonly heard: number }[]
}

/** The end of each piece, the recording's last, with the unit of the text that follows it. */
export function cutPlaces(matched: Matched): Place[] {
  const { units, sure, ends } = matched
  const anchors = [...sure.keys()].filter((token) => sure[token] !== -1)
  const last = ends.at(-1)
  let next = 0
  const places = ends.slice(0, -1).map((end): Place => {
    while (next < anchors.length && (sure[anchors[next] as number] as number) < end.heard) next++
    const { token, isGuess } = tokenAt(end.at, anchors[next - 1], anchors[next], matched)
    const sides = [runBefore(anchors, next), runBehind(anchors, next, units.length)]
    return { at: end.at, unit: units[token] ?? countOf(units), sureness: isGuess ? 0 : Math.min(...sides) }
  })
  return last ? [...places, { at: last.at, unit: countOf(units), sureness: SURE }] : places
}

function countOf(units: readonly number[]): number {
  return (units.at(-1) ?? -1) + 1
}

/**
 * The token that follows a place, by the nearest that were surely recognized before and behind it. Others between them are shared out by
 * time: a guess, unless they were not said.
 */
function tokenAt(
  at: number,
  before: number | undefined,
  behind: number | undefined,
  { units, sure, unsaid, times, ends }: Matched,
): { readonly token: number; readonly isGuess: boolean } {
  const timeOf = (token: number | undefined) => times[sure[token ?? -1] ?? -1]
  const [first, last] = [(before ?? -1) + 1, behind ?? units.length]
  const [from, to] = [timeOf(before)?.end ?? 0, timeOf(behind)?.start ?? ends.at(-1)?.at ?? at]
  const share = to > from ? Math.min(1, Math.max(0, (at - from) / (to - from))) : 0
  const token = Math.round(first + share * (last - first))
  const isInside = token > 0 && units[token] === units[token - 1]
  const isKnown = first === last || unsaid.some((run) => run.from <= first && last <= run.to)
  return { token, isGuess: isInside || !isKnown }
}

/** How many tokens in a row were surely recognized before a place, up to {@link SURE}; before the text nothing is wanted. */
function runBefore(anchors: readonly number[], next: number): number {
  let run = 0
  for (let i = next - 1; run < SURE && i >= 0 && anchors[i] === (anchors[next - 1] as number) - run; i--)
    run++
  return run === (anchors[next - 1] ?? -1) + 1 ? SURE : run
}

/** As {@link runBefore}, behind it. @param count of all tokens */
function runBehind(anchors: readonly number[], next: number, count: number): number {
  let run = 0
  for (let i = next; run < SURE && i < anchors.length && anchors[i] === (anchors[next] as number) + run; i++)
    run++
  return run === count - (anchors[next] ?? count) ? SURE : run
}
