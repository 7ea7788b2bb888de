// SPDX-License-Identifier: Apache-2.0

import { clipOfSamples } from './audio/clip.ts'
import { type Cut, cutPieces } from './audio/pieces.ts'
import { makeSampleHash } from './audio/sample-hash.ts'
import { SAMPLE_RATE } from './audio/sample-rate.ts'
import { type AudioSource, openSpeech } from './audio/speech-stream.ts'
import { MAX_PIECE_SECONDS } from './limits.ts'

/* Recordings that are read piece by piece. */

/** What is transcribed: a file, an open descriptor, or mono samples. */
export type AudioInput = AudioSource | { readonly samples: Float32Array; readonly sampleRate: number }

/** A recording of which the first piece has been read. */
export interface OpenedAudio {
  /** samples of the first piece, which is the whole of a short recording */
  readonly length: number
  readonly first: Cut
  /** all pieces, the first one included; to be read once */
  readonly cuts: AsyncIterable<Cut>
  /** what is odd in the recording; complete when all pieces have been read */
  readonly notes: readonly string[]
  /** so far, in seconds of audio; all when all pieces have been read */
  seconds(): number
  /** sha256 of all samples; to be called once, when all pieces have been read */
  sha256(): string
  /** Read no more. */
  close(): Promise<void>
}

/**
 * Open a recording and read its first piece.
 * @throws SpeechError naming the recording when it cannot be read
 */
export async function openAudio(
  input: AudioInput,
  maxSeconds = MAX_PIECE_SECONDS,
  signal?: AbortSignal,
): Promise<OpenedAudio> {
  const { blocks, notes } = await openBlocks(input, signal)
  const pieces = cutPieces(blocks, maxSeconds)
  const { value: first = { start: 0, samples: new Float32Array(0) } } = await pieces.next()
  let samples = 0
  const hash = await makeSampleHash()
  async function* all() {
    for (let cut: Cut | undefined = first; cut; cut = (await pieces.next()).value ?? undefined) {
      samples += cut.samples.length
      hash.add(cut.samples)
      yield cut
    }
  }
  return {
    ...{ first, length: first.samples.length, cuts: all(), notes },
    seconds: () => samples / SAMPLE_RATE,
    sha256: () => hash.digest(),
    close: async () => void (await pieces.return(undefined)),
  }
}

/** A recording as blocks of samples, to be read once. @throws SpeechError naming the recording when it cannot be read */
export async function openBlocks(input: AudioInput, signal?: AbortSignal) {
  if (!('samples' in input)) {
    const stream = await openSpeech(input, signal)
    return { blocks: stream, notes: stream.notes }
  }
  const { samples, notes } = clipOfSamples(input.samples, input.sampleRate)
  return { blocks: [samples], notes }
}
