import { joinTranscripts, piecesOf, splitPoints } from './audio/pieces.ts'
import { SAMPLE_RATE } from './audio/sample-rate.ts'
import type { Decoded } from './decode-loop.ts'
import { MAX_NEW_TOKENS } from './limits.ts'
import { logMel } from './mel.ts'
import { buildPrompt, type PromptOptions } from './prompt.ts'
import { audioTokens, encode, type Recognizer } from './recognizer.ts'
import { tellInOrder } from './tell-in-order.ts'
import { type ParsedTranscript, parseTranscript, transcriptSoFar } from './transcript.ts'

export interface RecognizeOptions extends PromptOptions {
  /** of each piece */
  readonly maxNewTokens?: number
  /** longer recordings are split at pauses */
  readonly maxPieceSeconds?: number
  /** stop loops and leave their repeats out; on unless false */
  readonly stopLoops?: boolean
}

export interface RecognizeControl {
  /** stops between two tokens by throwing its reason */
  readonly signal?: AbortSignal
  /** told what has been added to the text, in its order; a loop that is cut out later has been told */
  readonly onText?: (added: string) => void
}

/** Seconds spent in each part. */
export interface Timing {
  readonly mel: number
  readonly encoder: number
  readonly prefill: number
  readonly decode: number
}

/** One piece of a recording, transcribed by itself. */
export interface Piece extends ParsedTranscript, Pick<Decoded, 'tokens' | 'generated' | 'ending' | 'loop'> {
  /** where it begins, in seconds */
  readonly start: number
  readonly raw: string
  readonly timing: Timing
  /** seconds from the samples to the first token, waiting for a place in the batch not counted */
  readonly firstToken: number
}

export interface Recognition {
  readonly text: string
  readonly language: string | undefined
  readonly pieces: readonly Piece[]
}

/**
 * Transcribe a recording greedily; a long one in pieces, split at pauses, as many at once as the recognizer decodes
 * together.
 * @param samples 16 kHz mono
 * @throws the signal's reason when it aborts
 */
export async function recognize(
  recognizer: Recognizer,
  samples: Float32Array,
  options: RecognizeOptions = {},
  { signal, onText }: RecognizeControl = {},
): Promise<Recognition> {
  const points = splitPoints(samples, options.maxPieceSeconds)
  const parts = piecesOf(samples, points)
  const tell = onText && tellInOrder(parts.length, onText)
  const failed = new AbortController()
  const either = signal ? AbortSignal.any([signal, failed.signal]) : failed.signal
  const settled = await Promise.allSettled(
    parts.map(async (part, i): Promise<Piece> => {
      const start = (points[i - 1] ?? 0) / SAMPLE_RATE
      const onToken =
        tell && ((tokens: readonly number[]) => tell(i, soFar(recognizer, tokens, options), false))
      const piece = await recognizePiece(recognizer, part, options, { signal: either, onToken }).catch(
        (error) => {
          failed.abort(error) // the other pieces are of no use
          throw error
        },
      )
      tell?.(i, piece.text, true)
      return { start, ...piece }
    }),
  )
  const pieces = settled.map((result) => {
    if (result.status === 'rejected') throw signal?.aborted ? signal.reason : failed.signal.reason
    return result.value
  })
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
  control: { signal: AbortSignal | undefined; onToken: ((tokens: readonly number[]) => void) | undefined },
): Promise<Omit<Piece, 'start'>> {
  const clock: number[] = []
  const lap = () => clock.push(performance.now())
  const decoded = await recognizer.decode({
    ...control,
    maxNewTokens: options.maxNewTokens ?? MAX_NEW_TOKENS,
    stopLoops: options.stopLoops ?? true,
    async prepare() {
      lap()
      const mel = logMel(samples)
      lap()
      const features = await encode(recognizer, mel)
      lap()
      return {
        prompt: buildPrompt(recognizer.tokenizer, audioTokens(recognizer, features), options),
        features,
      }
    },
  })
  const [start = 0, afterMel = 0, afterEncoder = 0] = clock
  const { prefill, decode, ...kept } = decoded
  const raw = recognizer.tokenizer.decode(kept.tokens)
  const timing = {
    mel: (afterMel - start) / 1000,
    encoder: (afterEncoder - afterMel) / 1000,
    ...{ prefill, decode },
  }
  const firstToken = timing.mel + timing.encoder + timing.prefill
  return { ...parseTranscript(raw, options.language), raw, ...kept, timing, firstToken }
}

function soFar(recognizer: Recognizer, tokens: readonly number[], { language }: RecognizeOptions): string {
  return transcriptSoFar(recognizer.tokenizer.decode(tokens), language)
}
