// SPDX-License-Identifier: Apache-2.0

import { SAMPLE_RATE } from '../runtime/audio/sample-rate.ts'
import { openSpeech } from '../runtime/audio/speech-stream.ts'
import { fileProblem } from '../runtime/plain-file.ts'
import { SpeechError } from '../runtime/speech-error.ts'
import type { Span } from './entry.ts'
import { encodeFloatWav } from './float-wav.ts'
import { writeWhole } from './write-whole.ts'

/* Utterances that are parts of longer recordings, cut into files. */

/** Lengths in manifests are rounded to this many seconds or finer: what differs by less is the whole file. */
const ROUNDING = 0.01
/** An utterance that ends later than its file by more is not in it. */
const LONGEST_EXCESS = 0.5

/** Cuts parts out of recordings, each into a file of its own. */
export interface Cutter {
  /**
   * @param target where the part is written, unless it is there already
   * @returns the path of the part; the recording's own when the part is all of it
   * @throws SpeechError when the recording cannot be read, or ends before the part does
   */
  cut(path: string, span: Span, target: string, signal?: AbortSignal): Promise<string>
  close(): Promise<void>
}

/**
 * A cutter that decodes a recording once for all parts in their order, and keeps no more of it than the part in hand.
 * Samples are those of the whole recording at 16 kHz, from `offset` on, unchanged.
 */
export function makeCutter(): Cutter {
  let open: { readonly path: string; readonly window: Window } | undefined
  const close = async () => {
    const last = open
    open = undefined
    await last?.window.close()
  }
  return {
    close,
    async cut(path, span, target, signal) {
      if ((await fileProblem(target)) === undefined) return target
      const start = Math.round(span.offset * SAMPLE_RATE)
      if (open?.path !== path || start < open.window.start) {
        await close()
        open = { path, window: await openWindow(path, signal) }
      }
      const samples = await partOf(path, span, open.window).catch(async (error) => {
        await close() // what is left of a broken stream looks like its end
        throw error
      })
      if (samples === undefined) return path
      await writeWhole(target, encodeFloatWav(samples, SAMPLE_RATE))
      return target
    },
  }
}

/** @returns undefined when it is all of the recording */
async function partOf(
  path: string,
  { offset, duration }: Span,
  window: Window,
): Promise<Float32Array | undefined> {
  const start = Math.round(offset * SAMPLE_RATE)
  const end =
    duration === undefined ? Number.POSITIVE_INFINITY : Math.round((offset + duration) * SAMPLE_RATE)
  const { samples, isLast, length } = await window.read(start, end + Math.ceil(ROUNDING * SAMPLE_RATE))
  const found = `${path} ends at ${(length / SAMPLE_RATE).toFixed(2)} s`
  if (isLast && samples.length === 0)
    throw new SpeechError(`${found}, and the utterance begins at ${offset.toFixed(2)} s.`)
  if (isLast && Number.isFinite(end) && end > length + LONGEST_EXCESS * SAMPLE_RATE)
    throw new SpeechError(`${found}, and the utterance at ${(end / SAMPLE_RATE).toFixed(2)} s.`)
  return isLast && start === 0 ? undefined : samples.subarray(0, isLast ? undefined : end - start)
}

/** What has been decoded of a recording and may still be asked for. */
interface Window {
  /** the first sample that is kept */
  readonly start: number
  /**
   * Samples from `start` up to `end`, or up to the recording's end; what is before them is forgotten.
   */
  read(start: number, end: number): Promise<WindowPart>
  close(): Promise<void>
}

interface WindowPart {
  readonly samples: Float32Array
  /** the recording ends with them */
  readonly isLast: boolean
  /** samples up to here; of the whole recording when this is the last */
  readonly length: number
}

async function openWindow(path: string, signal: AbortSignal | undefined): Promise<Window> {
  const blocks = (await openSpeech({ path }, signal))[Symbol.asyncIterator]()
  const kept: Float32Array[] = []
  let [first, decoded, isEnd] = [0, 0, false]
  const forgetBefore = (start: number) => {
    for (let [block] = kept; block && first + block.length <= start; [block] = kept) {
      first += block.length
      kept.shift()
    }
  }
  return {
    get start() {
      return first
    },
    async read(start, end) {
      while (!isEnd && decoded < end) {
        const { value, done } = await blocks.next()
        isEnd = done === true
        if (value === undefined) continue
        kept.push(value.slice()) // decoders may write the next block into the same memory
        decoded += value.length
        forgetBefore(start)
      }
      forgetBefore(start)
      const all = joined(kept)
      const samples = all.slice(Math.max(0, start - first), Math.max(0, Math.min(end, decoded) - first))
      return { samples, isLast: isEnd && end >= decoded, length: decoded }
    },
    async close() {
      await blocks.return?.()
    },
  }
}

function lengthOf(blocks: readonly Float32Array[]): number {
  return blocks.reduce((sum, { length }) => sum + length, 0)
}

function joined(blocks: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(lengthOf(blocks))
  let position = 0
  for (const block of blocks) {
    out.set(block, position)
    position += block.length
  }
  return out
}
