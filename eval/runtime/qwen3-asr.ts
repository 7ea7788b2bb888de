// SPDX-License-Identifier: Apache-2.0

import { SAMPLE_RATE } from './audio/sample-rate.ts'
import { type Audio, inputOf } from './audio-argument.ts'
import type { Decoded } from './decode-loop.ts'
import { defined } from './defined.ts'
import type { Layout, PrefillKind } from './graphs.ts'
import { languageName } from './languages.ts'
import { usualCache } from './load-cache.ts'
import { cores } from './platform/host.ts'
import type { PromptOptions } from './prompt.ts'
import { USUAL_PROVIDER } from './providers.ts'
import { type AlignOptions, alignJob, type WordTimes, wordTimes } from './qwen3-aligner.ts'
import { openRelease } from './release.ts'
import { SpeechError } from './speech-error.ts'
import type { TimedWord } from './timed-word.ts'
import type { Timing } from './timing.ts'
import { usualVariant } from './usual-variant.ts'
import { type Heard, startWorker, type WorkerClient } from './worker-client.ts'

export type { Audio } from './audio-argument.ts'
// biome-ignore lint/performance/noBarrelFile: the package has one entry
export { type AlignerLoadOptions, type AlignOptions, Qwen3Aligner, type WordTimes } from './qwen3-aligner.ts'

/** How `Qwen3Asr.load` loads a release; the default follows each option. */
export interface LoadOptions {
  /**
   * `fp32`, or the suffix of the file names. By default `fp16` where the folder has it and the provider's device computes in
   * float16, else `int4` where the folder has it.
   */
  readonly variant?: string
  /** onnxruntime's threads; all cores */
  readonly threads?: number
  /** an execution provider of onnxruntime-node; `cpu` */
  readonly provider?: string
  /** of the decoder; `fused` where the folder has it */
  readonly layout?: Layout
  /**
   * How int4 runs prompts: `int8`, where the folder has its graph, takes half the time and less, and a byte of memory a
   * weight; `same` as it runs steps.
   */
  readonly prefill?: PrefillKind
  /**
   * Keep the weights of prompts in 8 bits in the user's cache folder, or the one that QWEN3_ASR_CACHE names, where the next
   * load finds them and processes share them; true. Without it, each load takes seconds and memory to make them.
   */
  readonly cache?: boolean
  /**
   * How many pieces of a long recording, and calls that overlap, are decoded together: takes less time for all, and
   * memory for the KV cache of each. 4 in the fused layout; the split one can do one only.
   */
  readonly batch?: number
  /** path of the recording that will be transcribed first: its first piece is encoded while the decoder loads */
  readonly first?: string
  /** the folder of a forced aligner's release: it finds when words are said, in place of the decoder's attention */
  readonly aligner?: string
  /** of the aligner, as `variant` */
  readonly alignerVariant?: string
}

/** Options of one transcription; the default follows each option. */
export interface TranscribeOptions extends Omit<PromptOptions, 'prompt'> {
  /** of samples; 16000 */
  readonly sampleRate?: number
  /** longer recordings are cut in pauses; 60 */
  readonly maxPieceSeconds?: number
  /** of each piece; 25 for each of its seconds, and 512 at least */
  readonly maxNewTokens?: number
  /** stop output that repeats itself, and leave the repeats out; true */
  readonly stopLoops?: boolean
  /** stops at the next token; what was asked for rejects with its reason */
  readonly signal?: AbortSignal
}

/** A part of a recording that was transcribed by itself. Times are in seconds. */
export interface Segment {
  /** of the speech in it, by its level */
  readonly start: number
  readonly end: number
  readonly text: string
  /** undefined when the model named none: it recognized no speech */
  readonly language: string | undefined
  /** `limit` and `loop`: the text may lack its end */
  readonly ending: Decoded['ending']
  readonly tokens: number
  /** of all its tokens, the language's in front of the text's */
  readonly tokenIds: readonly number[]
  /** of the text, in its order, punctuation with the word; undefined where the release has no times of words */
  readonly words?: readonly TimedWord[]
}

/** The text of a recording, with its language and its pieces. */
export interface Transcript {
  readonly text: string
  readonly language: string | undefined
  /** of audio */
  readonly seconds: number
  /** seconds of work of each part; `aligner` is that of a forced aligner, where one is loaded */
  readonly timing: Timing & { readonly aligner?: number }
  readonly segments: readonly Segment[]
  /** sentences about what is odd in the recording */
  readonly warnings: readonly string[]
}

/** Text as it is decoded, and the whole at the end. Leaving the loop early stops the work. */
export interface TranscriptStream extends AsyncIterable<string> {
  readonly result: Promise<Transcript>
}

const BATCH = 4

/**
 * Qwen3-ASR from a release directory, in a worker thread of its own.
 *
 *     const asr = await Qwen3Asr.load('output/qwen3-asr-0.6b')
 *     const { text } = await asr.transcribe('speech.flac')
 *     for await (const text of asr.stream(samples, { language: 'German' })) process.stdout.write(text)
 *     await asr.dispose()
 */
export class Qwen3Asr {
  /** `fp32`, `int4`, ... */
  readonly variant: string
  readonly layout: Layout
  readonly prefill: PrefillKind
  /** whether segments have words with their times: not in the split layout, nor in older releases */
  readonly hasWordTimes: boolean
  readonly #worker: WorkerClient

  private constructor(variant: string, worker: WorkerClient) {
    this.variant = variant
    this.layout = worker.loaded.layout
    this.prefill = worker.loaded.prefill
    this.hasWordTimes = worker.loaded.hasWordTimes
    this.#worker = worker
  }

  /**
   * @param folder with the graphs, embed_tokens.bin and the JSON files of a release
   * @throws SpeechError when the folder is not a release, lacks the variant, or the runtime refuses it
   */
  static async load(folder: string, options: LoadOptions = {}): Promise<Qwen3Asr> {
    const { threads = cores(), provider, prefill, batch, cache = true, first } = options
    const device = provider ?? USUAL_PROVIDER
    for (const [name, value] of Object.entries({ threads, batch: batch ?? 1 })) {
      if (!(Number.isInteger(value) && value > 0))
        throw new SpeechError(`${name} is ${value}, wanted a whole number above 0.`)
    }
    const aligner = await alignerSetup(options, threads)
    const release = await openRelease(folder, 'asr')
    const variant =
      options.variant === undefined ? await usualVariant(release, device) : release.variant(options.variant)
    const layout = options.layout ?? variant.ways(device)[0]?.layout ?? 'split'
    const worker = await startWorker({
      ...defined({ folder, variant: variant.name, layout, threads, provider, prefill, first }),
      ...(cache && { cache: usualCache() }),
      ...(aligner && { aligner }),
      ...{
        batch: batch ?? (layout === 'fused' ? BATCH : 1),
        isEncoderApart: true,
        warmUp: false,
        options: {},
      },
    })
    return new Qwen3Asr(variant.name, worker)
  }

  /**
   * Transcribe a recording of any length. Calls may overlap: they share the batch.
   * @throws SpeechError for audio that cannot be read and options that do not fit; the signal's reason when it aborts
   */
  async transcribe(audio: Audio, options: TranscribeOptions = {}): Promise<Transcript> {
    return this.#run(audio, options)
  }

  /** As {@link transcribe}, with the text as it comes. A loop may have been emitted before it is cut out of the result. */
  stream(audio: Audio, options: TranscribeOptions = {}): TranscriptStream {
    const left = new AbortController()
    const signal = options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal
    const texts: string[] = []
    let wake = () => {}
    let hasEnded = false
    const onText = (text: string) => {
      texts.push(text)
      wake()
    }
    const result = this.#run(audio, { ...options, signal }, onText).finally(() => {
      hasEnded = true
      wake()
    })
    result.catch(() => undefined) // who reads the text gets the error there
    const read = async function* () {
      try {
        for (;;) {
          while (texts.length > 0) yield texts.splice(0).join('')
          if (hasEnded) break
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        await result
      } finally {
        if (!hasEnded) left.abort(new SpeechError('The reader of the stream has left.'))
      }
    }
    return { result, [Symbol.asyncIterator]: read }
  }

  /**
   * Find when the words of a text are said in a recording, with the aligner. A longer recording than the aligner can look at
   * together is transcribed first, which shows where both can be cut. Calls may overlap.
   * @throws SpeechError without an aligner, for audio that cannot be read and a language that it does not support; the signal's
   * reason when it aborts
   */
  async align(audio: Audio, text: string, options: AlignOptions = {}): Promise<WordTimes> {
    if (this.#worker.loaded.alignerSeconds === undefined)
      throw new SpeechError(
        'No aligner is loaded.',
        'Load with { aligner: DIR }, the release of a forced aligner.',
      )
    return wordTimes(await this.#worker.align(alignJob(audio, text, options), options.signal))
  }

  /** Stop what is under way, and give all memory back. A program that does not, does not end by itself. */
  async dispose(): Promise<void> {
    await this.#worker.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  async #run(audio: Audio, options: TranscribeOptions, onText?: (text: string) => void): Promise<Transcript> {
    const { signal, sampleRate = SAMPLE_RATE, language, ...rest } = options
    const input = inputOf(audio, sampleRate)
    checkLimits(rest)
    checkPiece(rest.maxPieceSeconds, this.#worker.loaded.alignerSeconds)
    const named = language === undefined ? {} : { language: languageName(String(language)) }
    return transcriptOf(
      await this.#worker.transcribe(input, { options: { ...rest, ...named }, signal, onText }),
    )
  }
}

/** @throws SpeechError when a limit is none */
function checkLimits({ maxPieceSeconds = 1, maxNewTokens = 1 }: TranscribeOptions): void {
  if (!(maxPieceSeconds >= 1))
    throw new SpeechError(`maxPieceSeconds is ${maxPieceSeconds}, wanted at least 1.`)
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    throw new SpeechError(`maxNewTokens is ${maxNewTokens}, wanted a whole number above 0.`)
}

/** @throws SpeechError for pieces that the aligner cannot look at together */
function checkPiece(seconds = 0, most = Number.POSITIVE_INFINITY): void {
  if (seconds > most)
    throw new SpeechError(
      `maxPieceSeconds is ${seconds}, wanted at most ${most}, which the aligner can process in one pass.`,
    )
}

/** @throws SpeechError when the aligner's folder does not hold one */
async function alignerSetup(
  { aligner: folder, alignerVariant, provider, cache = true }: LoadOptions,
  threads: number,
) {
  if (folder === undefined) {
    if (alignerVariant === undefined) return undefined
    throw new SpeechError('alignerVariant is given without aligner.', 'Name the folder of the aligner.')
  }
  const variant = (await openRelease(folder, 'aligner')).variant(alignerVariant).name
  return { folder, variant, threads, ...defined({ provider }), ...(cache && { cache: usualCache() }) }
}

/** Warnings of the aligner about pieces, and the languages that it does not support. */
function alignerNotes(pieces: Heard['recognition']['pieces']): string[] {
  const unknown = new Map<string, { count: number; hasWords: boolean }>()
  const notes: string[] = []
  for (const { start, unknownLanguage: language, words, doubts = [] } of pieces) {
    notes.push(...doubts.map((doubt) => `at ${start.toFixed(0)} s: ${doubt}`))
    if (language === undefined) continue
    const count = (unknown.get(language)?.count ?? 0) + 1
    unknown.set(language, { count, hasWords: words !== undefined })
  }
  for (const [language, { count, hasWords }] of unknown)
    notes.push(
      `the aligner does not support ${language}: words of ${count} ${count === 1 ? 'piece' : 'pieces'} have ` +
        `${hasWords ? "the times of the decoder's attention" : 'no times'}.`,
    )
  return notes
}

function alignerTiming(pieces: Heard['recognition']['pieces']): { readonly aligner?: number } {
  const own = pieces.flatMap(({ alignerSeconds }) => alignerSeconds ?? [])
  return own.length > 0 ? { aligner: own.reduce((sum, seconds) => sum + seconds) } : {}
}

function recitalNote({ start }: Heard['recognition']['pieces'][number]): string {
  return `at ${start.toFixed(0)} s the output was the context itself, so that it was decoded again without it.`
}

function transcriptOf({ seconds, notes, recognition: { text, language, pieces } }: Heard): Transcript {
  const sum = (part: keyof Timing) => pieces.reduce((total, { timing }) => total + timing[part], 0)
  return {
    ...{ text, language, seconds },
    timing: {
      ...{ mel: sum('mel'), encoder: sum('encoder'), prefill: sum('prefill'), decode: sum('decode') },
      ...alignerTiming(pieces),
    },
    segments: pieces.map(
      ({ start, speech, text: said, language: heard, ending, tokens, words }): Segment => ({
        start: start + speech.start,
        end: start + speech.end,
        ...{ text: said, language: heard, ending, tokens: tokens.length, tokenIds: tokens },
        ...(words && { words }),
      }),
    ),
    warnings: [
      ...notes,
      ...pieces.filter(({ hasRecited }) => hasRecited).map(recitalNote),
      ...alignerNotes(pieces),
    ],
  }
}
