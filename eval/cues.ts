import { breakable } from './line-breaks.ts'
import { columns } from './text-columns.ts'

/** A piece of text with its place in the recording, in seconds. */
export interface TimedText {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Columns of a line and lines of a cue, as broadcasters' guides have them. */
const [LINE, LINES] = [42, 2]
/** Seconds that a cue is shown at most, and at least where there is room. */
const [LONGEST, SHORTEST] = [7, 1]
/** What a cue costs that ends inside of a sentence: behind a comma, or anywhere. An empty cue costs 1. */
const [CLAUSE_END, WORD_END] = [0.3, 0.6]
/** What a cue that is too short to be read costs more than one that is empty. */
const TOO_SHORT = 3

/**
 * Cut text into subtitles, at ends of sentences where that fits and else between words. The model tells no times of words:
 * within a text, time is shared out by its length, so a cue is right as far as the text is spoken evenly.
 * @param texts in the order of their times
 * @returns cues in the order of their times, which do not overlap
 */
export function cuesOf(texts: readonly TimedText[]): TimedText[] {
  const cues: TimedText[] = []
  for (const [i, { start, end, text }] of texts.entries()) {
    const begin = Math.max(start, cues.at(-1)?.end ?? 0)
    const next = texts.slice(i + 1).find((other) => other.text.trim() !== '')?.start
    cues.push(...cuesIn(text, begin, Math.max(begin, end), next ?? Number.POSITIVE_INFINITY))
  }
  return cues
}

/** @param room when the next text begins */
function cuesIn(text: string, start: number, spoken: number, room: number): TimedText[] {
  const parts = breakable(text, LINE)
  const measured = linesOf(parts)
  const total = measured.length(0, parts.length)
  const ends = bestEnds(parts, measured, (spoken - start) / total)
  const needed = start + SHORTEST * ends.length
  const end = Math.max(spoken, Math.min(needed, Math.max(room, start + 0.001 * ends.length)))
  const at = (part: number) => start + ((end - start) * measured.length(0, part)) / total
  return ends.map((last, i): TimedText => {
    const first = ends[i - 1] ?? 0
    const lines = measured.lines(first, last) ?? [parts.slice(first, last)]
    return {
      start: at(first),
      end: Math.min(at(last), at(first) + LONGEST),
      text: lines.map((line) => line.join('').trim()).join('\n'),
    }
  })
}

/** How long runs of parts are, and their lines; all by the indices of the first part and of the one behind the last. */
interface Lines {
  /** time is shared out by it */
  length(first: number, end: number): number
  /** one line where that fits, else two of about one width; undefined where they do not */
  lines(first: number, end: number): string[][] | undefined
}

function linesOf(parts: readonly string[]): Lines {
  const spaces = parts.map((part) => columns(part) - columns(part.trimEnd()))
  const sums = [0]
  for (const part of parts) sums.push((sums.at(-1) as number) + Math.max(1, columns(part)))
  const length = (first: number, end: number) => (sums[end] as number) - (sums[first] as number)
  const width = (first: number, end: number) => length(first, end) - (spaces[end - 1] ?? 0)
  return {
    length,
    lines(first, end) {
      if (width(first, end) <= LINE) return [parts.slice(first, end)]
      let [best, widest] = [first, LINE + 1]
      for (let middle = first + 1; middle < end; middle++) {
        const wider = Math.max(width(first, middle), width(middle, end))
        if (wider < widest) [best, widest] = [middle, wider]
      }
      return best === first ? undefined : [parts.slice(first, best), parts.slice(best, end)]
    },
  }
}

/**
 * Where the cues end that cost least in all.
 * @param parts that a line may be broken between
 * @param perColumn seconds
 */
function bestEnds(parts: readonly string[], measured: Lines, perColumn: number): number[] {
  const costs = [0]
  const begins = [0]
  for (let end = 1; end <= parts.length; end++) {
    const last = end === parts.length ? 0 : endCost(parts[end - 1] as string)
    costs[end] = Number.POSITIVE_INFINITY
    for (let begin = end - 1; begin >= 0; begin--) {
      const length = measured.length(begin, end)
      const isTooLong = length * perColumn > LONGEST || measured.lines(begin, end) === undefined
      if (isTooLong && end - begin > 1) break
      const cost = (costs[begin] as number) + sizeCost(length, length * perColumn) + last
      if (cost < (costs[end] as number)) {
        costs[end] = cost
        begins[end] = begin
      }
    }
  }
  const ends: number[] = []
  for (let end = parts.length; end > 0; end = begins[end] as number) ends.unshift(end)
  return ends
}

function sizeCost(length: number, seconds: number): number {
  const empty = Math.max(0, 1 - length / (LINES * LINE))
  return empty ** 2 + TOO_SHORT * Math.max(0, 1 - seconds / SHORTEST)
}

function endCost(part: string): number {
  if (/[.!?。！？｡…؟۔।॥။។][\p{Pe}\p{Pf}"']*\s*$/u.test(part)) return 0
  return /[,;:、，；：､،؛၊][\p{Pe}\p{Pf}"']*\s*$/u.test(part) ? CLAUSE_END : WORD_END
}

/** SubRip: a number, the times and the text of each cue, and an empty line. It has no way to write an arrow of its own. */
export function srt(cues: readonly TimedText[]): string {
  return cues
    .map(({ start, end, text }, i) => {
      const times = `${clock(start, ',')} --> ${clock(end, ',')}`
      return `${i + 1}\n${times}\n${withoutEmptyLines(text).replaceAll('-->', '→')}\n`
    })
    .join('\n')
}

/** WebVTT (https://www.w3.org/TR/webvtt1/): a header, the times and the escaped text of each cue. */
export function vtt(cues: readonly TimedText[]): string {
  const blocks = cues.map(({ start, end, text }) => {
    const escaped = withoutEmptyLines(text)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
    return `${clock(start, '.')} --> ${clock(end, '.')}\n${escaped}\n`
  })
  return ['WEBVTT\n', ...blocks].join('\n')
}

/** An empty line ends a cue. */
function withoutEmptyLines(text: string): string {
  return text
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== '')
    .join('\n')
}

function clock(seconds: number, point: string): string {
  const total = Math.round(seconds * 1000)
  const part = (size: number, of: number, digits: number) =>
    String(Math.floor(total / size) % of).padStart(digits, '0')
  return `${part(3_600_000, 1e9, 2)}:${part(60_000, 60, 2)}:${part(1000, 60, 2)}${point}${part(1, 1000, 3)}`
}
