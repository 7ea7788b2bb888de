import { SAMPLE_RATE } from './audio/clip.ts'
import { joinTranscripts, piecesOf, splitPoints } from './audio/pieces.ts'
import { MAX_NEW_TOKENS } from './limits.ts'
import { logMel } from './mel.ts'
import { buildPrompt, type Prompt, type PromptOptions } from './prompt.ts'
import { argmax, audioTokens, encode, prefill, type Recognizer, type Step, step } from './recognizer.ts'
import { type Repetition, RepetitionGuard, withoutRepeats } from './repetition.ts'
import { parseTranscript, type Transcript } from './transcript.ts'

export interface RecognizeOptions extends PromptOptions {
  /** of each piece */
  readonly maxNewTokens?: number
  /** longer recordings are split at pauses */
  readonly maxPieceSeconds?: number
  /** stop loops and leave their repeats out; on unless false */
  readonly stopLoops?: boolean
  /** stops between two tokens by throwing its reason */
  readonly signal?: AbortSignal
}

/** Seconds spent in each part. */
export interface Timing {
  readonly mel: number
  readonly encoder: number
  readonly prefill: number
  readonly decode: number
}

/** One piece of a recording, transcribed by itself. */
export interface Piece extends Transcript {
  /** where it begins, in seconds */
  readonly start: number
  readonly raw: string
  readonly tokens: readonly number[]
  /** how many were computed: more than there are when a loop was cut out */
  readonly generated: number
  /** why decoding stopped: an end token, the token limit, or a loop */
  readonly ending: 'end' | 'limit' | 'loop'
  /** the loop that was stopped; its repeats are not in the text */
  readonly loop?: Repetition
  readonly timing: Timing
  /** seconds from the samples to the first token */
  readonly firstToken: number
}

export interface Recognition {
  readonly text: string
  readonly language: string | undefined
  readonly pieces: readonly Piece[]
}

/**
 * Transcribe a recording greedily; a long one in pieces, split at pauses.
 * @param samples 16 kHz mono
 */
export async function recognize(
  recognizer: Recognizer,
  samples: Float32Array,
  options: RecognizeOptions = {},
): Promise<Recognition> {
  const points = splitPoints(samples, options.maxPieceSeconds)
  const pieces: Piece[] = []
  for (const [i, piece] of piecesOf(samples, points).entries()) {
    const start = (points[i - 1] ?? 0) / SAMPLE_RATE
    pieces.push({ start, ...(await recognizePiece(recognizer, piece, options)) })
  }
  return {
    text: joinTranscripts(pieces.map(({ text }) => text)),
    language: pieces.find(({ language }) => language !== undefined)?.language,
    pieces,
  }
}

async function recognizePiece(
  recognizer: Recognizer,
  samples: Float32Array,
  options: RecognizeOptions,
): Promise<Omit<Piece, 'start'>> {
  const clock = [performance.now()]
  const lap = () => clock.push(performance.now())
  const mel = logMel(samples)
  lap()
  const features = await encode(recognizer, mel)
  lap()
  const prompt = buildPrompt(recognizer.tokenizer, audioTokens(features), options)
  const first = await prefill(recognizer, prompt, features)
  lap()
  const decoded = await decode(recognizer, prompt, first, options)
  const raw = recognizer.tokenizer.decode(decoded.tokens)
  lap()
  const seconds = (i: number) => ((clock[i + 1] ?? 0) - (clock[i] ?? 0)) / 1000
  const timing = { mel: seconds(0), encoder: seconds(1), prefill: seconds(2), decode: seconds(3) }
  const firstToken = timing.mel + timing.encoder + timing.prefill
  return { ...parseTranscript(raw, options.language), raw, ...decoded, timing, firstToken }
}

/** Greedy tokens after the prefill, the end token left out. */
async function decode(
  recognizer: Recognizer,
  prompt: Prompt,
  first: Step,
  { maxNewTokens = MAX_NEW_TOKENS, stopLoops = true, signal }: RecognizeOptions,
): Promise<Pick<Piece, 'tokens' | 'generated' | 'ending' | 'loop'>> {
  const tokens: number[] = []
  const guard = new RepetitionGuard()
  let { logits, cache } = first
  for (;;) {
    const token = argmax(logits)
    if (recognizer.config.endIds.includes(token)) return { tokens, generated: tokens.length, ending: 'end' }
    tokens.push(token)
    const loop = stopLoops ? guard.add(token) : undefined
    if (loop) return { ...cut(tokens, loop), ending: 'loop', loop }
    if (tokens.length >= maxNewTokens) return { tokens, generated: tokens.length, ending: 'limit' }
    signal?.throwIfAborted()
    const position = prompt.ids.length + tokens.length - 1
    ;({ logits, cache } = await step(recognizer, token, position, cache))
  }
}

function cut(tokens: readonly number[], loop: Repetition): Pick<Piece, 'tokens' | 'generated'> {
  return { tokens: withoutRepeats(tokens, loop), generated: tokens.length }
}
