import { readFile } from 'node:fs/promises'
import { SpeechError } from '../speech-error.ts'
import { decodeAudio } from './decode.ts'
import { resample } from './resample.ts'
import type { DecodedAudio } from './wav.ts'

/** What the model hears: 16 kHz mono. */
export const SAMPLE_RATE = 16000
/** Outside of these a header is damaged, and would make gigabytes of a few bytes. */
const [LOWEST_RATE, HIGHEST_RATE] = [1000, 768_000]
/** One mel frame's hop; anything shorter is no recording. */
const SHORTEST = 160

export interface Clip {
  /** 16 kHz mono, full scale is 1 */
  readonly samples: Float32Array
  readonly seconds: number
  /** as the file has them */
  readonly sourceRate: number
  readonly sourceChannels: number
}

/**
 * Read an audio file of any kind {@link decodeAudio} knows, mix to mono, resample to 16 kHz.
 * @param signal ends a decoder that is a program of its own
 * @throws SpeechError naming the file when it is missing, empty, too short or not audio
 */
export async function loadClip(path: string, signal?: AbortSignal): Promise<Clip> {
  try {
    return toClip(await decodeAudio(await readFile(path, { signal }), signal))
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof SpeechError) throw new SpeechError(`${path}: ${error.message}`, error.hint)
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new SpeechError(`${path} does not exist.`)
    throw error
  }
}

/**
 * Samples that a program has itself, as {@link loadClip} gives them.
 * @throws SpeechError when they are too few, not finite, or of an unlikely rate
 */
export function clipOfSamples(samples: Float32Array, sampleRate: number): Clip {
  if (!(samples instanceof Float32Array)) throw new SpeechError('The samples are no Float32Array.')
  if (!samples.every(Number.isFinite)) throw new SpeechError('The samples hold NaN or infinite values.')
  return toClip({ channels: [samples], sampleRate })
}

function toClip(audio: DecodedAudio): Clip {
  if (!(audio.sampleRate >= LOWEST_RATE && audio.sampleRate <= HIGHEST_RATE)) {
    throw new SpeechError(
      `The file has ${audio.sampleRate} samples a second, wanted ${LOWEST_RATE} to ${HIGHEST_RATE}.`,
    )
  }
  const samples = resample(mixDown(audio.channels), audio.sampleRate, SAMPLE_RATE)
  if (samples.length < SHORTEST) {
    throw new SpeechError(
      `The clip has ${samples.length} samples at 16 kHz, wanted at least ${SHORTEST} (10 ms).`,
    )
  }
  return {
    samples,
    seconds: samples.length / SAMPLE_RATE,
    sourceRate: audio.sampleRate,
    sourceChannels: audio.channels.length,
  }
}

function mixDown(channels: readonly Float32Array[]): Float32Array {
  const [first] = channels
  if (first === undefined) throw new SpeechError('The file has no channels.')
  if (channels.length === 1) return first
  return first.map((_, i) => channels.reduce((sum, channel) => sum + (channel[i] ?? 0), 0) / channels.length)
}
