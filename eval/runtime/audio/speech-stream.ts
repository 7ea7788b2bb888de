// SPDX-License-Identifier: Apache-2.0

import { nextTurn } from '../platform/host.ts'
import { SpeechError } from '../speech-error.ts'
import type { AudioBlock, Decoded } from './audio-block.ts'
import { openAudioFile } from './audio-file.ts'
import type { AudioFile, AudioSource } from './audio-source.ts'
import { decodeAudio } from './decode.ts'
import { type Mono, mixDown } from './mix.ts'
import { Resampler } from './resample.ts'
import { checkLength, checkOvershoot, checkRate, dividedBy, notesOfPeak, peakOf } from './sample-checks.ts'
import { SAMPLE_RATE } from './sample-rate.ts'

export type { AudioSource } from './audio-source.ts'

const LONGEST_BLOCK = 10 * SAMPLE_RATE
/** 16 kHz mono samples (full scale 1) in blocks of at most ten seconds, in their order. */
export interface SpeechStream extends AsyncIterable<Float32Array> {
  /** samples a second and channels of the source, of its first part */
  readonly sourceRate: number
  readonly sourceChannels: number
  /** sentences about what is odd in the source, without its name; complete when the iteration has ended */
  readonly notes: readonly string[]
}

/**
 * Open audio of any kind and length; memory does not grow with its length. To be iterated once, which closes it.
 * Floats above full scale are divided by their peak, as the publisher's package does, so that a file of floats is read
 * twice.
 * @param signal ends reading and any decoder that is a program of its own
 * @throws SpeechError naming the source, here or during the iteration, when it cannot be read
 */
export async function openSpeech(source: AudioSource, signal?: AbortSignal): Promise<SpeechStream> {
  const name = 'path' in source ? source.path : source.name
  const file = await openAudioFile(source, signal).catch((error: unknown) => {
    throw signal?.aborted ? signal.reason : error
  })
  const notes: string[] = []
  try {
    const decoded = await decodeAudio(file, notes, signal)
    const { blocks, peak } = decoded.isFloat
      ? await withPeak(file, decoded, notes, signal)
      : { blocks: decoded.blocks, peak: undefined }
    const { value: first } = await blocks.next()
    if (first === undefined) throw new SpeechError(['The file holds no audio.', ...notes].join(' '))
    file.reader.forget()
    const mono = scaled(mixDown(checked(startingWith(first, blocks)), notes), peak)
    return {
      sourceRate: first.sampleRate,
      sourceChannels: first.channels.length,
      notes,
      [Symbol.asyncIterator]: () => iterate(mono, file, name, signal),
    }
  } catch (error) {
    await file.close()
    throw named(error, name, signal)
  }
}

async function* iterate(
  mono: AsyncIterable<Mono>,
  file: AudioFile,
  name: string,
  signal?: AbortSignal,
): AsyncGenerator<Float32Array, void> {
  let samples = 0
  try {
    for await (const block of resampled(mono)) {
      for (let from = 0; from < block.length; from += LONGEST_BLOCK) {
        await nextTurn() // decoders here never wait, and an abort must be noticed
        signal?.throwIfAborted()
        yield block.subarray(from, from + LONGEST_BLOCK)
      }
      samples += block.length
    }
    checkLength(samples)
  } catch (error) {
    throw named(error, name, signal)
  } finally {
    await file.close()
  }
}

/** Read all of it for the peak, then begin again. A stream is written to the temp folder for that. */
async function withPeak(file: AudioFile, decoded: Decoded, notes: string[], signal?: AbortSignal) {
  const again = async (told: string[]) => (await decodeAudio(await file.again(), told, signal)).blocks
  if (file.isStream) await decoded.blocks.return(undefined)
  const blocks = file.isStream ? await again([]) : decoded.blocks
  let peak = 1
  for await (const { samples } of mixDown(checked(blocks), [])) {
    peak = peakOf(samples, peak)
    await nextTurn()
    signal?.throwIfAborted()
  }
  notes.splice(0, notes.length, ...notesOfPeak(peak))
  return { blocks: await again(notes), peak }
}

async function* startingWith(
  first: AudioBlock,
  blocks: AsyncGenerator<AudioBlock>,
): AsyncGenerator<AudioBlock> {
  yield first
  yield* blocks
}

async function* checked(blocks: AsyncIterable<AudioBlock>): AsyncGenerator<AudioBlock> {
  for await (const block of blocks) {
    checkRate(block.sampleRate)
    yield block
  }
}

/** Without a known peak, what exceeds full scale by more than a codec does cannot be fixed. */
async function* scaled(mono: AsyncIterable<Mono>, peak: number | undefined): AsyncGenerator<Mono> {
  for await (const { sampleRate, samples } of mono) {
    if (peak === undefined) checkOvershoot(samples)
    yield { sampleRate, samples: dividedBy(peak ?? 1, samples) }
  }
}

async function* resampled(mono: AsyncIterable<Mono>): AsyncGenerator<Float32Array> {
  let resampler: Resampler | undefined
  let rate = 0
  for await (const { sampleRate, samples } of mono) {
    if (sampleRate !== rate) {
      if (resampler) yield resampler.end()
      rate = sampleRate
      resampler = rate === SAMPLE_RATE ? undefined : new Resampler(rate, SAMPLE_RATE)
    }
    yield resampler ? resampler.push(samples) : samples
  }
  if (resampler) yield resampler.end()
}

function named(error: unknown, name: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason
  if (error instanceof SpeechError) return new SpeechError(`${name}: ${error.message}`, error.hint)
  return new SpeechError(`${name}: The file cannot be decoded: ${(error as Error).message}`)
}
