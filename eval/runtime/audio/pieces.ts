// SPDX-License-Identifier: Apache-2.0

import { MAX_PIECE_SECONDS } from '../limits.ts'
import { JOINT, touches } from '../writing-system.ts'
import { bestPause, FRAME } from './pause.ts'
import { SAMPLE_RATE } from './sample-rate.ts'

/* Cutting long recordings into pieces, and joining their transcripts. */

/** A part of a recording that is transcribed by itself. */
export interface Cut {
  /** of its first sample in the recording */
  readonly start: number
  /** 16 kHz mono */
  readonly samples: Float32Array
}

/** What is left behind a cut at least, where that is possible: less is not a word. */
const TAIL = 0.5 * SAMPLE_RATE
/** Samples that are looked at together. */
const BLOCK = 10 * SAMPLE_RATE
/** A one-pole high-pass of 60 Hz: neither a constant offset nor slow drift is a level. */
const POLE = Math.exp((-2 * Math.PI * 60) / SAMPLE_RATE)

/**
 * Cut a recording into pieces of at most `maxSeconds`, each but the last at the best pause of its second half. No more
 * than a piece, what decides about its end, and one block are held at a time.
 * @param blocks 16 kHz mono, in their order
 * @throws RangeError for pieces of less than a second
 */
export async function* cutPieces(
  blocks: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  maxSeconds: number,
): AsyncGenerator<Cut> {
  const cutter = new Cutter(maxSeconds)
  for await (const block of blocks) {
    for (let at = 0; at < block.length; at += BLOCK) {
      cutter.push(block.subarray(at, at + BLOCK))
      for (let cut = cutter.next(false); cut; cut = cutter.next(false)) yield cut
    }
  }
  for (let cut = cutter.next(true); cut; cut = cutter.next(true)) yield cut
}

/**
 * As {@link cutPieces}, of a recording that is in memory.
 * @param samples 16 kHz mono
 * @throws RangeError for pieces of less than a second
 * @returns boundaries in samples, ascending, without 0 and the end; none when the recording is short enough
 */
export function splitPoints(samples: Float32Array, maxSeconds = MAX_PIECE_SECONDS): number[] {
  const cutter = new Cutter(maxSeconds)
  const points: number[] = []
  const take = (isEnd: boolean) => {
    for (let cut = cutter.next(isEnd); cut; cut = cutter.next(isEnd)) points.push(cut.start)
  }
  for (let at = 0; at < samples.length; at += BLOCK) {
    cutter.push(samples.subarray(at, at + BLOCK))
    take(false)
  }
  take(true)
  return points.slice(1)
}

/** The pieces between split points. */
export function piecesOf(samples: Float32Array, points: readonly number[]): Float32Array[] {
  return [0, ...points].map((start, i) => samples.subarray(start, points[i] ?? samples.length))
}

/**
 * Cut a recording at known places; no more than a piece and a block are held at a time.
 * @param blocks 16 kHz mono, in their order
 * @param ends of all pieces, in samples, ascending; the last is that of the recording
 */
export async function* cutAt(
  blocks: AsyncIterable<Float32Array> | Iterable<Float32Array>,
  ends: readonly number[],
): AsyncGenerator<Float32Array> {
  let held: Float32Array[] = []
  let [at, next] = [0, 0]
  for await (const block of blocks) {
    let rest = block
    while (next < ends.length && at + rest.length >= (ends[next] as number)) {
      const count = (ends[next++] as number) - at
      yield joined([...held, rest.subarray(0, count)])
      held = []
      at += count
      rest = rest.subarray(count)
    }
    held.push(rest.slice())
    at += rest.length
  }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

class Cutter {
  /** samples of a piece at most */
  readonly #longest: number
  #samples = new Float32Array(0)
  #length = 0
  #start = 0
  /** mean square of every whole frame so far, after the high-pass */
  #energies = new Float64Array(0)
  #frames = 0
  #filter = { input: 0, output: 0 }

  constructor(maxSeconds: number) {
    if (!(maxSeconds >= 1))
      throw new RangeError(`Pieces of ${maxSeconds} s are too short, wanted at least 1 s.`)
    this.#longest = Math.floor(maxSeconds * SAMPLE_RATE)
  }

  push(block: Float32Array): void {
    const length = this.#length + block.length
    if (length > this.#samples.length) {
      const larger = new Float32Array(this.#length === 0 ? length : Math.ceil(1.5 * length))
      larger.set(this.#samples.subarray(0, this.#length))
      this.#samples = larger
    }
    this.#samples.set(block, this.#length)
    this.#length = length
  }

  /** The next piece, when enough is known; at the end of the recording every sample is given out. */
  next(isEnd: boolean): Cut | undefined {
    if (this.#length <= this.#longest) return isEnd && this.#length > 0 ? this.#take(this.#length) : undefined
    if (!isEnd && this.#length < this.#longest + TAIL) return undefined
    this.#measure()
    const high = Math.floor(Math.min(this.#longest, this.#length - TAIL) / FRAME)
    const low = Math.min(high, Math.ceil(this.#longest / 2 / FRAME))
    // no more than that, so that the size of the blocks decides nothing
    const frames = Math.min(this.#frames, Math.floor((this.#longest + TAIL) / FRAME))
    return this.#take(bestPause(this.#energies.subarray(0, frames), low, high) * FRAME)
  }

  /** The first `count` samples; the rest moves to the front. */
  #take(count: number): Cut {
    const cut = { start: this.#start, samples: this.#samples.slice(0, count) }
    this.#samples.copyWithin(0, count, this.#length)
    this.#start += count
    this.#length -= count
    const frames = Math.min(this.#frames, count / FRAME)
    this.#energies.copyWithin(0, frames, this.#frames)
    this.#frames -= frames
    return cut
  }

  /** Bring the frames up to the samples. */
  #measure(): void {
    const frames = Math.floor(this.#length / FRAME)
    if (frames > this.#energies.length) {
      const larger = new Float64Array(Math.ceil(1.5 * frames))
      larger.set(this.#energies)
      this.#energies = larger
    }
    let { input, output } = this.#filter
    for (; this.#frames < frames; this.#frames++) {
      let sum = 0
      for (let i = this.#frames * FRAME; i < (this.#frames + 1) * FRAME; i++) {
        const sample = this.#samples[i] as number
        output = POLE * (output + sample - input)
        input = sample
        sum += output * output
      }
      this.#energies[this.#frames] = sum / FRAME
    }
    this.#filter = { input, output }
  }
}

/** Transcripts of pieces as one text: no space between two letters or marks of writing that has none. */
export function joinTranscripts(texts: readonly string[]): string {
  const joined: string[] = []
  let end = ''
  for (const text of texts.map((each) => each.trim())) {
    if (text === '') continue
    if (end !== '' && !touches(end, text)) joined.push(' ')
    joined.push(text)
    end = (end + text).slice(-JOINT)
  }
  return joined.join('')
}

const SPAN_FRAME = 0.02 * SAMPLE_RATE
/** How far from the quiet frames' level towards the loud ones' speech begins. */
const SPEECH_LEVEL = 0.3
/** Sounds begin and end softer than they are, in seconds. */
const MARGIN = 0.1

/** A part of a piece, in seconds from its beginning. */
export interface Span {
  readonly start: number
  readonly end: number
}

/**
 * From the first to the last loud frame, in seconds: where in a piece the speech is, to place its text in time. A
 * frame is loud when its level is nearer to the loudest frames' than {@link SPEECH_LEVEL} of the way from the softest's.
 * @param samples 16 kHz mono
 */
export function speechSpan(samples: Float32Array): Span {
  const levels = Float32Array.from({ length: Math.floor(samples.length / SPAN_FRAME) }, (_, i) => {
    let energy = 1e-10
    for (let k = i * SPAN_FRAME; k < (i + 1) * SPAN_FRAME; k++) energy += (samples[k] as number) ** 2
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
    start: Math.max(0, (first * SPAN_FRAME) / SAMPLE_RATE - MARGIN),
    end: Math.min(seconds, ((last + 1) * SPAN_FRAME) / SAMPLE_RATE + MARGIN),
  }
}
