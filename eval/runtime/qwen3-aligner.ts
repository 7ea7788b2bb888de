// SPDX-License-Identifier: Apache-2.0

import type { AlignedAudio, AlignerTiming } from './aligner/aligner.ts'
import { type AlignerThread, type AlignJob, startAligner } from './aligner-thread.ts'
import { SAMPLE_RATE } from './audio/sample-rate.ts'
import { type Audio, inputOf } from './audio-argument.ts'
import { defined } from './defined.ts'
import { usualCache } from './load-cache.ts'
import { cores } from './platform/host.ts'
import { SpeechError } from './speech-error.ts'
import type { TimedWord } from './timed-word.ts'

/** How `Qwen3Aligner.load` loads a release; the default follows each option. */
export interface AlignerLoadOptions {
  /** `fp32`, or the suffix of the file names; `int4` where the folder has it */
  readonly variant?: string
  /** onnxruntime's threads; all cores */
  readonly threads?: number
  /** an execution provider of onnxruntime-node; `cpu` */
  readonly provider?: string
  /** keep the weights of prompts in 8 bits for the next load; true */
  readonly cache?: boolean
}

/** Options of one alignment; the default follows each option. */
export interface AlignOptions {
  /** of the text: name, ISO code or BCP 47 tag; decides how it is cut into words */
  readonly language?: string
  /** of samples; 16000 */
  readonly sampleRate?: number
  /** what was asked for rejects with its reason */
  readonly signal?: AbortSignal
}

/** When the words of a text are said. */
export interface WordTimes {
  /** in the order of the text, punctuation with the word; seconds, which do not decrease */
  readonly words: readonly TimedWord[]
  /** of audio */
  readonly seconds: number
  /** seconds of work of each part; `recognizer` is that of hearing a long recording first, all its parts together */
  readonly timing: AlignerTiming & { readonly recognizer?: number }
  /** sentences about what is odd in the recording, or may be wrong */
  readonly warnings: readonly string[]
}

/**
 * A forced aligner from its release directory, in a separate thread, for recordings that it can process in one pass.
 *
 *     const aligner = await Qwen3Aligner.load('output/qwen3-forced-aligner-0.6b')
 *     const { words } = await aligner.align('speech.flac', 'What was said.', { language: 'English' })
 *     await aligner.dispose()
 */
export class Qwen3Aligner {
  /** `fp32`, `int4`, ... */
  readonly variant: string
  /** of a recording at most; `asr.align` takes longer ones */
  readonly maxSeconds: number
  /** English names of those that it supports */
  readonly languages: readonly string[]
  readonly #thread: AlignerThread
  readonly #closing = new AbortController()
  #closed: Promise<void> | undefined

  private constructor(thread: AlignerThread) {
    this.variant = thread.variant
    this.maxSeconds = thread.settings.maxSeconds
    this.languages = thread.settings.languages
    this.#thread = thread
  }

  /**
   * @param folder with the graphs, embed_tokens.bin and the JSON files of a forced aligner's release
   * @throws SpeechError when the folder is not such a release, lacks the variant, or the runtime refuses it
   */
  static async load(folder: string, options: AlignerLoadOptions = {}): Promise<Qwen3Aligner> {
    const { threads = cores(), variant, provider, cache = true } = options
    if (!(Number.isInteger(threads) && threads > 0))
      throw new SpeechError(`threads is ${threads}, wanted a whole number above 0.`)
    const setup = {
      folder,
      threads,
      ...defined({ variant, provider }),
      ...(cache && { cache: usualCache() }),
    }
    return new Qwen3Aligner(await startAligner(setup))
  }

  /**
   * Find when the words of a text are said in a recording. Calls may overlap: they run one after the other.
   * @throws SpeechError for audio that cannot be read or is too long, and a language that it does not support; the signal's reason
   * when it aborts
   */
  async align(audio: Audio, text: string, options: AlignOptions = {}): Promise<WordTimes> {
    const closing = this.#closing.signal
    const signal = options.signal ? AbortSignal.any([options.signal, closing]) : closing
    signal.throwIfAborted()
    return wordTimes(await this.#thread.align(alignJob(audio, text, options), signal))
  }

  /** Stop what is under way, and give all memory back. A program that does not, does not end by itself. */
  async dispose(): Promise<void> {
    this.#closed ??= (async () => {
      this.#closing.abort(new Error('The aligner is closed.'))
      await this.#thread.release()
    })()
    await this.#closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }
}

/**
 * The job of an aligner's thread from what a caller gives.
 * @throws SpeechError for what is neither audio nor text, which programs without types may hand in
 */
export function alignJob(
  audio: Audio,
  text: string,
  { language, sampleRate = SAMPLE_RATE }: AlignOptions,
): AlignJob {
  if (typeof text !== 'string') throw new SpeechError(`The text is ${typeof text}, wanted a string.`)
  return { input: inputOf(audio, sampleRate), text, ...defined({ language }) }
}

/** The result of the public interface, from what the thread answers. Notes about the file become warnings too. */
export function wordTimes(aligned: AlignedAudio): WordTimes {
  const { words, seconds, timing, recognizerSeconds: recognizer, notes, warnings } = aligned
  return {
    ...{ words, seconds, timing: { ...timing, ...defined({ recognizer }) } },
    warnings: [...notes, ...warnings],
  }
}
