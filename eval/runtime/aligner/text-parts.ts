import { comparable, matchUnits } from './match-units.ts'

/** A piece of a recording, and what a recognizer heard in it. */
export interface HeardPiece {
  /** seconds, in the recording */
  readonly start: number
  readonly end: number
  /** what is spoken of each unit that was heard */
  readonly spoken: readonly string[]
}

/** Part of a recording, and the units of the text that are said in it. */
export interface TextPart {
  readonly start: number
  readonly end: number
  /** the first unit, and the one behind the last */
  readonly from: number
  readonly to: number
  /** runs of units that were not heard at all, [first, behind the last] */
  readonly unsaid: readonly (readonly [number, number])[]
}

export interface TextParts {
  readonly parts: readonly TextPart[]
  /** sentences about where text and recording differ */
  readonly warnings: readonly string[]
}

/** Equal units on each side of a cut that make it a sure one. */
const SURE = 2
/** Units of the text in a row of which so few were heard were not said; fewer may have been misheard. */
const [MANY, HEARD_SHARE] = [8, 0.25]

/** A place between two pieces where text and recording can be cut together. */
interface Place {
  readonly at: number
  /** the first unit behind it */
  readonly unit: number
  /** how many equal units stand on the side that has fewer, up to {@link SURE} */
  readonly sureness: number
}

/**
 * Find which units of a text are said in which part of a recording. Both are cut between pieces, where what was heard on both
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
  const heard = pieces.map((piece) => tokensOf(piece.spoken).tokens)
  const all = heard.flat()
  const matches = matchUnits(text.tokens, all)
  const counts = heard.map((tokens) => tokens.length)
  const places = placesOf(pieces, counts, { ...text, matches, heard: all.length })
  const runs = unsaidRuns(matches, all.length, text.units)
  const warnings: string[] = []
  const parts: TextPart[] = []
  const [begin, end] = [pieces[0]?.start ?? 0, pieces.at(-1)?.end ?? 0]
  const last: Place = { at: end, unit: spoken.length, sureness: SURE }
  let from: Place = { at: begin, unit: 0, sureness: SURE }
  while (from.at < end) {
    const to = nextCut(from, [...places, last], maxSeconds)
    if (to.sureness === 0)
      warnings.push(
        `at ${to.at.toFixed(0)} s what was heard differs from the text, so that the text was cut by guess.`,
      )
    parts.push({
      start: from.at,
      end: to.at,
      from: from.unit,
      to: to.unit,
      unsaid: within(runs, from.unit, to.unit),
    })
    from = to
  }
  return {
    parts,
    warnings: [
      ...warnings,
      ...parts.flatMap((part) => unsaidNotes(part)),
      ...extraNotes(matches, pieces, counts),
    ],
  }
}

/** What is compared, and the unit of each. */
function tokensOf(spoken: readonly string[]): { readonly tokens: string[]; readonly units: number[] } {
  const tokens: string[] = []
  const units: number[] = []
  for (const [unit, each] of spoken.entries()) {
    for (const token of comparable(each)) {
      tokens.push(token)
      units.push(unit)
    }
  }
  return { tokens, units }
}

/** The latest of the surest places that are near enough. */
function nextCut(from: Place, places: readonly Place[], maxSeconds: number): Place {
  const near = places.filter(({ at }) => at > from.at && at - from.at <= maxSeconds + 1e-6)
  const end = near.at(-1)
  if (end === places.at(-1) && end !== undefined) return end
  const most = Math.max(...near.map(({ sureness }) => sureness))
  const cut = near.findLast(({ sureness }) => sureness === most)
  if (cut === undefined) throw new RangeError(`A piece is longer than ${maxSeconds} s.`)
  return cut.unit < from.unit ? { ...cut, unit: from.unit } : cut
}

interface Matched {
  readonly tokens: readonly string[]
  readonly units: readonly number[]
  readonly matches: Int32Array
  /** how many were heard */
  readonly heard: number
}

function placesOf(pieces: readonly HeardPiece[], counts: readonly number[], matched: Matched): Place[] {
  const { tokens, units, matches, heard } = matched
  const tokenOf = new Int32Array(heard).fill(-1)
  for (const [token, one] of matches.entries()) if (one >= 0) tokenOf[one] = token
  let before = 0
  return pieces.slice(0, -1).map((piece, i) => {
    before += counts[i] as number
    const token = tokenBehind(tokenOf, before, tokens.length)
    const isInside = token > 0 && units[token] === units[token - 1]
    const sureness = isInside ? 0 : sureAround(matches, token, before, heard)
    return { at: piece.end, unit: units[token] ?? (units.at(-1) ?? -1) + 1, sureness }
  })
}

/** The token of the text that follows what was heard before a place: behind the nearest equal one, as far as in what was heard. */
function tokenBehind(tokenOf: Int32Array, place: number, count: number): number {
  let [low, high] = [place - 1, place]
  while (low >= 0 && tokenOf[low] === -1) low--
  while (high < tokenOf.length && tokenOf[high] === -1) high++
  const first = low < 0 ? 0 : (tokenOf[low] as number) + 1
  const last = high < tokenOf.length ? (tokenOf[high] as number) : count
  const [behind, ahead] = [place - 1 - low, high - place]
  return behind + ahead === 0 ? first : Math.round(first + ((last - first) * behind) / (behind + ahead))
}

/** Equal tokens in a row on both sides; the ends of text and recording are equal. */
function sureAround(matches: Int32Array, token: number, place: number, heard: number): number {
  const isEqual = (offset: number) => {
    const [i, j] = [token + offset, place + offset]
    if (i < 0 || j < 0) return i < 0 && j < 0
    if (i >= matches.length || j >= heard) return i >= matches.length && j >= heard
    return matches[i] === j
  }
  let sure = 0
  while (sure < SURE && isEqual(sure) && isEqual(-1 - sure)) sure++
  return sure
}

/** Runs of many units of the text in whose place little was heard. */
function unsaidRuns(matches: Int32Array, heard: number, units: readonly number[]): [number, number][] {
  const runs: [number, number][] = []
  let [start, place] = [0, 0]
  for (let i = 0; i <= matches.length; i++) {
    const next = i < matches.length ? (matches[i] as number) : heard
    if (next < 0) continue
    if (i - start >= MANY && next - place <= HEARD_SHARE * (i - start))
      runs.push([units[start] as number, (units[i - 1] as number) + 1])
    ;[start, place] = [i + 1, next + 1]
  }
  return runs
}

function within(runs: readonly [number, number][], from: number, to: number): [number, number][] {
  return runs
    .map(([first, end]): [number, number] => [Math.max(first, from), Math.min(end, to)])
    .filter(([first, end]) => first < end)
}

function unsaidNotes({ start, end, unsaid }: TextPart): string[] {
  const count = unsaid.reduce((sum, [first, behind]) => sum + behind - first, 0)
  if (count === 0) return []
  return [
    `from ${start.toFixed(0)} to ${end.toFixed(0)} s ${count} words of the text were not heard: they have no length.`,
  ]
}

/** Pieces with many words that the text lacks. */
function extraNotes(matches: Int32Array, pieces: readonly HeardPiece[], counts: readonly number[]): string[] {
  const isSaid = new Set(matches)
  let first = 0
  return pieces.flatMap(({ start, end }, i) => {
    const count = counts[i] as number
    let extra = 0
    for (let j = first; j < first + count; j++) if (!isSaid.has(j)) extra++
    first += count
    if (extra < MANY / 2 || extra < count / 2) return []
    return [
      `from ${start.toFixed(0)} to ${end.toFixed(0)} s ${extra} of ${count} words that were heard are not in the text.`,
    ]
  })
}
