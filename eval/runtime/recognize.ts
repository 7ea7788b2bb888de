// SPDX-License-Identifier: Apache-2.0

import { alignPiece, type PieceWords } from './aligner/align-piece.ts'
import type { AlignerThread } from './aligner-thread.ts'
import { type Cut, joinTranscripts, piecesOf, type Span, speechSpan, splitPoints } from './audio/pieces.ts'
import { SAMPLE_RATE } from './audio/sample-rate.ts'
import type { Decoded } from './decode-loop.ts'
import type { TakePlace } from './decode-places.ts'
import { defined } from './defined.ts'
import { languageName } from './languages.ts'
import { tokenLimit } from './limits.ts'
import { logMel } from './mel.ts'
import type { PromptOptions } from './prompt.ts'
import { isRecital, mayRecite } from './recital.ts'
import { encode, promptOf, type Recognizer } from './recognizer.ts'
import { tellInOrder } from './tell-in-order.ts'
import type { TimedWord } from './timed-word.ts'
import type { Timing } from './timing.ts'
import { type ParsedTranscript, parseTranscript, textStart, transcriptSoFar } from './transcript.ts'
import { mayBeSpeech, pausesIn } from './words/pauses.ts'
import { tokenRanges } from './words/token-ranges.ts'
import { timedWords } from './words/word-times.ts'

/** What decides about the text of a recording. */
export interface RecognizeOptions extends PromptOptions {
  /** of each piece; by default what its length allows */
  readonly maxNewTokens?: number
  /** longer recordings are cut in pauses; 60 */
  readonly maxPieceSeconds?: number
  /** stop loops and leave their repeats out; on unless false */
  readonly stopLoops?: boolean
}

/** How a caller follows and stops a recognition. */
export interface RecognizeControl {
  /** stops between two tokens by throwing its reason */
  readonly signal?: AbortSignal
  /** called with what has been added to the text, in its order; also with a loop that is cut out later */
  readonly onText?: (added: string) => void
  /** finds when words are said, in place of the decoder's attention */
  readonly aligner?: AlignerThread
}

/** One piece of a recording, transcribed by itself. */
export interface Piece
  extends ParsedTranscript,
    Omit<PieceWords, 'words'>,
    Pick<Decoded, 'tokens' | 'generated' | 'ending' | 'loop'> {
  /** where it begins, in seconds */
  readonly start: number
  /** where in the piece the speech is */
  readonly speech: Span
  readonly raw: string
  /** the text was that of the context, and is what was recognized without it */
  readonly hasRecited?: true
  /** its words with their times in the recording; undefined where the decoder has none */
  readonly words?: readonly TimedWord[]
  readonly timing: Timing
  /** seconds from the samples to the first token, waiting for a place in the batch not counted */
  readonly firstToken: number
}

/** The text of a recording, from its pieces in their order. */
export interface Recognition {
  readonly text: string
  readonly language: string | undefined
  readonly pieces: readonly Piece[]
}

/**
 * Transcribe a recording greedily; a long one in pieces, cut in pauses, as many at once as the recognizer decodes
 * together.
 * @param samples 16 kHz mono
 * @throws the signal's reason when it aborts
 */
export async function recognize(
  recognizer: Recognizer,
  samples: Float32Array,
  options: RecognizeOptions = {},
  control: RecognizeControl = {},
): Promise<Recognition> {
  const points = splitPoints(samples, options.maxPieceSeconds)
  const cuts = piecesOf(samples, points).map(
    (piece, i): Cut => ({ start: points[i - 1] ?? 0, samples: piece }),
  )
  return recognizePieces(recognizer, cuts, options, control)
}

/**
 * As {@link recognize}, of pieces that come one after the other. Each is asked for when there is a place for it, so that
 * memory does not grow with the length of the recording.
 * @throws the signal's reason when it aborts, and what the pieces throw
 */
export async function recognizePieces(
  recognizer: Recognizer,
  cuts: Iterable<Cut> | AsyncIterable<Cut>,
  given: RecognizeOptions = {},
  { signal, onText, aligner }: RecognizeControl = {},
): Promise<Recognition> {
  const options = given.language ? { ...given, language: languageName(given.language) } : given
  const tell = onText && tellInOrder(onText)
  const failed = new AbortController()
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  const fail = (error: unknown) => failed.abort(error) // the other pieces are of no use
  const underWay: Promise<Piece>[] = []
  const start = (cut: Cut, i: number, leave: () => void) => {
    const onToken =
      tell && ((tokens: readonly number[]) => tell(i, soFar(recognizer, tokens, options), false))
    const piece = recognizePiece(recognizer, cut, options, { signal: either, onToken }).then(async (done) => {
      tell?.(i, done.text, true)
      return aligner ? { ...done, ...(await alignPiece(aligner, done, cut, either)) } : done
    })
    piece.catch(fail).finally(leave)
    underWay.push(piece)
  }
  await eachInPlace(cuts, recognizer.takePlace, either, start).catch(fail)
  await Promise.allSettled(underWay)
  either.throwIfAborted()
  const pieces = await Promise.all(underWay)
  return {
    text: joinTranscripts(pieces.map(({ text }) => text)),
    language: pieces.find(({ language }) => language !== undefined)?.language,
    pieces,
  }
}

/** Take a place, then an item, in turn; the receiver of an item returns its place. */
async function eachInPlace<T>(
  items: Iterable<T> | AsyncIterable<T>,
  takePlace: TakePlace,
  signal: AbortSignal,
  start: (item: T, i: number, leave: () => void) => void,
): Promise<void> {
  let leave = await takePlace()
  try {
    let i = 0
    for await (const item of items) {
      signal.throwIfAborted()
      start(item, i++, leave)
      leave = () => undefined
      leave = await takePlace()
      signal.throwIfAborted()
    }
  } finally {
    leave()
  }
}

interface PieceControl {
  readonly signal: AbortSignal | undefined
  readonly onToken: ((tokens: readonly number[]) => void) | undefined
}

/** Without speech, a context would be recited, and a language that is forced would be made up. */
async function recognizePiece(
  recognizer: Recognizer,
  cut: Cut,
  given: RecognizeOptions,
  { signal, onToken }: PieceControl,
): Promise<Piece> {
  const { context = '', language, ...others } = given
  const options: RecognizeOptions = mayBeSpeech(cut.samples) ? given : others
  if (!options.context) return decodePiece(recognizer, cut, options, { signal, onToken })
  const onHeard = (tokens: readonly number[]) => {
    if (!mayRecite(soFar(recognizer, tokens, options), context)) onToken?.(tokens)
  }
  const piece = await decodePiece(recognizer, cut, options, { signal, onToken: onToken && onHeard })
  if (!isRecital(piece.text, context)) return piece
  const again = await decodePiece(recognizer, cut, defined({ ...others, language }), { signal, onToken })
  return { ...again, hasRecited: true, timing: sumOf(piece.timing, again.timing) }
}

function sumOf(a: Timing, b: Timing): Timing {
  const part = (name: keyof Timing) => a[name] + b[name]
  return { mel: part('mel'), encoder: part('encoder'), prefill: part('prefill'), decode: part('decode') }
}

async function decodePiece(
  recognizer: Recognizer,
  { start: first, samples }: Cut,
  options: RecognizeOptions,
  control: PieceControl,
): Promise<Piece> {
  const clock: number[] = []
  const lap = () => clock.push(performance.now())
  const draft = options.language === undefined ? recognizer.draft : undefined
  const decoded = await recognizer.decode({
    ...control,
    draft: draft?.tokens ?? [],
    wantsAttention: true,
    maxNewTokens: options.maxNewTokens ?? tokenLimit(samples.length / SAMPLE_RATE),
    stopLoops: options.stopLoops ?? true,
    async prepare() {
      lap()
      const mel = logMel(samples)
      lap()
      const features = await encode(recognizer, mel)
      lap()
      return {
        prompt: promptOf(recognizer, features, options),
        features,
      }
    },
  })
  const [start = 0, afterMel = 0, afterEncoder = 0] = clock
  const { prefill, decode, attention, ...kept } = decoded
  draft?.learn(kept.tokens)
  const raw = recognizer.tokenizer.decode(kept.tokens)
  const timing = {
    mel: (afterMel - start) / 1000,
    encoder: (afterEncoder - afterMel) / 1000,
    ...{ prefill, decode },
  }
  const firstToken = timing.mel + timing.encoder + timing.prefill
  const words = attention && wordsOf(recognizer, { ...kept, attention }, { start: first, samples }, options)
  return {
    start: first / SAMPLE_RATE,
    speech: speechSpan(samples),
    ...{ ...parseTranscript(raw, options.language), raw, ...kept, timing, firstToken },
    ...(words && { words }),
  }
}

/** Of the transcript: what comes before it, the language, is not said. */
function wordsOf(
  { tokenizer }: Recognizer,
  { tokens, attention }: { readonly tokens: readonly number[]; readonly attention: readonly Float32Array[] },
  { start: first, samples }: Cut,
  { language }: RecognizeOptions,
): TimedWord[] {
  const sound = { pauses: pausesIn(samples), seconds: samples.length / SAMPLE_RATE }
  const evidence = { ...tokenRanges(tokenizer, tokens), attention, ...sound }
  if (parseTranscript(evidence.text, language).text === '') return []
  const offset = first / SAMPLE_RATE
  return timedWords(evidence, textStart(evidence.text, language)).map(({ text, start, end }) => {
    return { text, start: offset + start, end: offset + end }
  })
}

function soFar(recognizer: Recognizer, tokens: readonly number[], { language }: RecognizeOptions): string {
  return transcriptSoFar(recognizer.tokenizer.decode(tokens), language)
}
