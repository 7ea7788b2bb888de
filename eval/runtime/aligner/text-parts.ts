// SPDX-License-Identifier: Apache-2.0

import type { Span } from '../audio/pieces.ts'
import { takersOf } from './adjoining-matches.ts'
import { cutPlaces, FEWEST, type Place } from './cut-places.ts'
import type { HeardPiece, HeardUnit } from './heard-piece.ts'
import { matchUnits } from './match-units.ts'
import { tokensOf } from './token-list.ts'
import { type UnmatchedRun, unmatchedRuns } from './unmatched-runs.ts'

/* Dividing a long text for the parts of its recording. */

/** Part of a recording, and the units of the text that are said in it. */
export interface TextPart {
  readonly start: number
  readonly end: number
  /** the first unit, and the one behind the last */
  readonly from: number
  readonly to: number
  /** runs of units that were not recognized at all, [first, behind the last] */
  readonly unsaid: readonly (readonly [number, number])[]
  /** whether what was recognized does not show where in the text the part ends */
  readonly isGuess: boolean
}

/** A long text, divided for the parts of its recording. */
export interface TextParts {
  readonly parts: readonly TextPart[]
  /** sentences about where text and recording differ */
  readonly warnings: readonly string[]
}

/** Units in a row of which hardly any was recognized were not said; fewer may have been misheard. */
const MANY = 8
/** Fewer too, where there was no time to say them: nobody says a unit in less seconds. */
const [FEW, QUICKEST] = [4, 0.1]

/**
 * Find which units of a text are said in which part of a recording. Both are cut between pieces, where what was recognized on both
 * sides is what the text says; elsewhere only where a part would be too long.
 * @param spoken what is spoken of each unit of the text
 * @param pieces of the whole recording, none longer than `maxSeconds`
 */
export function textParts(
  spoken: readonly string[],
  pieces: readonly HeardPiece[],
  maxSeconds: number,
): TextParts {
  const text = tokensOf(spoken)
  const heard = heardTokens(pieces)
  const matches = matchUnits(text.tokens, heard.tokens)
  const unsaid = unsaidRuns(matches.all, heard)
  const places = cutPlaces({ units: text.units, sure: matches.sure, unsaid, ...heard })
  const parts = partsOf(
    heard.begin,
    cutsOf(heard.begin, places, maxSeconds),
    unsaid.map((run) => unitsOfRun(run, text.units)),
  )
  const extra = unmatchedRuns(takersOf(matches.all, heard.tokens.length), text.tokens.length)
  return {
    parts,
    warnings: [
      ...guessNotes(parts.filter(({ isGuess }) => isGuess)),
      ...parts.flatMap(unsaidNotes),
      ...extra.flatMap((run) => extraNotes(run, heard.times)),
    ],
  }
}

interface HeardTokens {
  readonly tokens: readonly string[]
  /** when each was recognized, in seconds */
  readonly times: readonly Span[]
  /** where the recording begins, and where pieces end, in seconds, with the count of tokens before */
  readonly begin: number
  readonly ends: readonly { readonly at: number; readonly heard: number }[]
}

function heardTokens(pieces: readonly HeardPiece[]): HeardTokens {
  const tokens: string[] = []
  const times: Span[] = []
  const ends = pieces.map((piece) => {
    const own = tokensOf(piece.units.map((unit) => unit.spoken))
    tokens.push(...own.tokens)
    times.push(...own.units.map((unit) => piece.units[unit] as HeardUnit))
    return { at: piece.end, heard: tokens.length }
  })
  return { tokens, times, begin: pieces[0]?.start ?? 0, ends }
}

/** Runs of the text's tokens that were not said. */
function unsaidRuns(matches: Int32Array, { times, begin, ends }: HeardTokens): UnmatchedRun[] {
  return unmatchedRuns(matches, times.length).filter(({ from, to, otherFrom, otherTo }) => {
    const count = to - from
    const start = times[otherFrom - 1]?.end ?? begin
    const end = times[otherTo]?.start ?? ends.at(-1)?.at ?? begin
    return count >= MANY || (count >= FEW && end - start < QUICKEST * count)
  })
}

function unitsOfRun({ from, to }: UnmatchedRun, units: readonly number[]): readonly [number, number] {
  return [units[from] as number, (units[to - 1] as number) + 1]
}

/** The ends of parts: each the latest of the surest places that are near enough. */
function* cutsOf(begin: number, places: readonly Place[], maxSeconds: number): Generator<Place> {
  let from = begin
  const last = places.at(-1)
  while (last !== undefined && from < last.at) {
    const near = places.filter(({ at }) => at > from && at - from <= maxSeconds + 1e-6)
    const most = Math.max(...near.map(({ sureness }) => sureness))
    const cut = near.includes(last) ? last : near.findLast(({ sureness }) => sureness === most)
    if (cut === undefined) throw new RangeError(`A piece is longer than ${maxSeconds} s.`)
    yield cut
    from = cut.at
  }
}

function partsOf(
  begin: number,
  cuts: Iterable<Place>,
  unsaid: readonly (readonly [number, number])[],
): TextPart[] {
  let [start, from] = [begin, 0]
  return Array.from(cuts, ({ at, unit, sureness }) => {
    const part = {
      ...{ start, end: at, from, to: unit, isGuess: sureness < FEWEST },
      unsaid: within(unsaid, from, unit),
    }
    ;[start, from] = [at, unit]
    return part
  })
}

function within(runs: readonly (readonly [number, number])[], from: number, to: number): [number, number][] {
  return runs
    .map(([first, end]): [number, number] => [Math.max(first, from), Math.min(end, to)])
    .filter(([first, end]) => first < end)
}

function guessNotes(parts: readonly TextPart[]): string[] {
  if (parts.length === 0) return []
  const places = parts.map(({ end }) => end.toFixed(0)).join(', ')
  return [`at ${places} s what was recognized differs from the text, so that the text was cut by guess.`]
}

function unsaidNotes({ start, end, unsaid }: TextPart): string[] {
  const count = unsaid.reduce((sum, [first, behind]) => sum + behind - first, 0)
  if (count === 0) return []
  return [
    `from ${start.toFixed(0)} to ${end.toFixed(0)} s ${count} words of the text were not recognized: they have no length.`,
  ]
}

/** Words in a row that the text lacks. */
function extraNotes({ from, to }: UnmatchedRun, times: readonly Span[]): string[] {
  const [first, last] = [times[from], times[to - 1]]
  if (to - from <= FEW || first === undefined || last === undefined) return []
  return [
    `from ${first.start.toFixed(0)} to ${last.end.toFixed(0)} s ${to - from} words were recognized that are not in the text.`,
  ]
}
