import { MAX_PIECE_SECONDS } from '../limits.ts'
import { SAMPLE_RATE } from './sample-rate.ts'

/** How far from even pieces a pause is looked for. */
const SEARCH = 10 * SAMPLE_RATE
/** A pause is judged over this long, as between two words. */
const PAUSE = 0.3 * SAMPLE_RATE
const HOP = 0.01 * SAMPLE_RATE

/**
 * Where to split a recording so that no piece is longer than `maxSeconds`: as few pieces as that takes, about even,
 * each boundary in the middle of the quietest 0.3 s within 10 s of its even place.
 * @param samples 16 kHz mono
 * @throws RangeError for pieces of less than a second
 * @returns boundaries in samples, ascending, without 0 and the end; none when the recording is short enough
 */
export function splitPoints(samples: Float32Array, maxSeconds = MAX_PIECE_SECONDS): number[] {
  if (!(maxSeconds >= 1))
    throw new RangeError(`Pieces of ${maxSeconds} s are too short, wanted at least 1 s.`)
  const longest = Math.floor(maxSeconds * SAMPLE_RATE)
  const points: number[] = []
  let start = 0
  for (let left = Math.ceil(samples.length / longest); left > 1; left--) {
    const even = start + (samples.length - start) / left
    const low = Math.max(even - SEARCH, samples.length - (left - 1) * longest, start + longest / 2)
    const high = Math.min(even + SEARCH, start + longest)
    start = quietest(samples, Math.ceil(low), Math.floor(high))
    points.push(start)
  }
  return points
}

/** The pieces between split points. */
export function piecesOf(samples: Float32Array, points: readonly number[]): Float32Array[] {
  return [0, ...points].map((start, i) => samples.subarray(start, points[i] ?? samples.length))
}

/** The middle of the window with the least energy, its middle within `low` and `high`; the first of equals. */
function quietest(samples: Float32Array, low: number, high: number): number {
  let best = Math.min(low, high)
  let least = Number.POSITIVE_INFINITY
  for (let middle = best; middle <= high; middle += HOP) {
    let energy = 0
    for (let i = middle - PAUSE / 2; i < middle + PAUSE / 2; i++) energy += (samples[i] ?? 0) ** 2
    if (energy < least) {
      least = energy
      best = middle
    }
  }
  return best
}

/** Transcripts of pieces as one text: no space between two letters of a script that has none. */
export function joinTranscripts(texts: readonly string[]): string {
  const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}。，！？、]/u
  return texts
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .reduce((joined, text) => {
      const touches = unspaced.test(joined.at(-1) ?? '') && unspaced.test(text.charAt(0))
      return joined === '' ? text : joined + (touches ? '' : ' ') + text
    }, '')
}

const FRAME = 0.02 * SAMPLE_RATE
/** How far from the quiet frames' level towards the loud ones' speech begins. */
const SPEECH_LEVEL = 0.3
/** Sounds begin and end softer than they are, in seconds. */
const MARGIN = 0.1

/**
 * From the first to the last loud frame, in seconds: where in a piece the speech is, to place its text in time. A
 * frame is loud when its level is nearer to the loudest frames' than {@link SPEECH_LEVEL} of the way from the softest's.
 * @param samples 16 kHz mono
 */
export function speechSpan(samples: Float32Array): { readonly start: number; readonly end: number } {
  const levels = Float32Array.from({ length: Math.floor(samples.length / FRAME) }, (_, i) => {
    let energy = 1e-10
    for (let k = i * FRAME; k < (i + 1) * FRAME; k++) energy += (samples[k] as number) ** 2
    return 10 * Math.log10(energy)
  })
  const sorted = levels.toSorted()
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0
  const threshold = at(0.05) + SPEECH_LEVEL * (at(0.95) - at(0.05))
  const first = levels.findIndex((level) => level >= threshold)
  const last = levels.findLastIndex((level) => level >= threshold)
  const seconds = samples.length / SAMPLE_RATE
  if (first < 0) return { start: 0, end: seconds }
  return {
    start: Math.max(0, (first * FRAME) / SAMPLE_RATE - MARGIN),
    end: Math.min(seconds, ((last + 1) * FRAME) / SAMPLE_RATE + MARGIN),
  }
}
