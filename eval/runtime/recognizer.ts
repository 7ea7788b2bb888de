import { type Decode, makeDecodeLoop } from './decode-loop.ts'
import { makePlaces, type TakePlace } from './decode-places.ts'
import { type Decoder, type DecoderOptions, prepareDecoder } from './decoder.ts'
import type { EmbeddingTable } from './embeddings.ts'
import { ENCODER } from './graphs.ts'
import { MEL_BINS, type Mel } from './mel.ts'
import { type InferenceSession, Tensor } from './onnxruntime.ts'
import { buildPrompt, type Prompt, type PromptOptions } from './prompt.ts'
import { USUAL_PROVIDER } from './providers.ts'
import { openVariantEmbeddings } from './quantized-embeddings.ts'
import { openRelease } from './release.ts'
import type { ReleaseConfig } from './release-config.ts'
import { floats, openSession, output, requireProvider } from './session.ts'
import { SpeechError } from './speech-error.ts'
import { readTokenizer, type Tokenizer } from './tokenizer.ts'

/** One loaded variant of a release directory. */
export interface Recognizer {
  readonly config: ReleaseConfig
  readonly tokenizer: Tokenizer
  readonly encoder: InferenceSession
  readonly decoder: Decoder
  readonly embeddings: EmbeddingTable
  /** queue a sequence to be decoded, at most `batch` at once */
  readonly decode: Decode
  /** for a piece that is in memory: those that are decoded together, and as many that wait for them */
  readonly takePlace: TakePlace
}

export interface LoadOptions extends DecoderOptions {
  /** as {@link openRelease} names them; int4 where the folder has it */
  readonly variant?: string
  /** sequences that are decoded together; 1 by default */
  readonly batch?: number
}

/**
 * Load a release directory. A file of the variant that is missing is replaced by its FP32 one.
 * @throws SpeechError when a file is missing, the runtime refuses it, or the layout cannot decode batches
 */
export async function loadRecognizer(folder: string, options: LoadOptions): Promise<Recognizer> {
  requireProvider(options.provider ?? USUAL_PROVIDER)
  const release = await openRelease(folder)
  const { config } = release
  const source = { release, variant: release.variant(options.variant) }
  const tokenizer = await readTokenizer(folder)
  const embeddings = await openVariantEmbeddings(release, source.variant)
  const openDecoder = prepareDecoder(source, embeddings, options)
  const encoder = await openSession(source, ENCODER, options)
  const decoder = await openDecoder()
  const { batch = 1 } = options
  if (batch > decoder.maxRows) {
    throw new SpeechError(
      `${folder} has the split layout, which decodes one sequence at a time, not ${batch}.`,
      'Run the pipeline again: its releases have the fused layout (decoder.onnx) too. Or leave --batch out.',
    )
  }
  const decode = makeDecodeLoop(decoder, config, batch)
  // one at a time: the next piece is read when the one before has ended, so that reading is no part of its time
  const takePlace = makePlaces(batch === 1 ? 1 : 2 * batch)
  return { config, tokenizer, encoder, decoder, embeddings, decode, takePlace }
}

export async function releaseRecognizer(recognizer: Recognizer): Promise<void> {
  await recognizer.encoder.release()
  await recognizer.decoder.release()
  recognizer.embeddings.close()
}

/**
 * mel [1, 128, T] -> audio features [N, H], flat. The encoder runs on one window of attention after the other where the
 * release says how long they are: the features are the same, and take the memory of one window.
 */
export async function encode(
  { encoder, config }: Pick<Recognizer, 'encoder' | 'config'>,
  mel: Mel,
): Promise<Float32Array> {
  const { windowFrames = mel.frames } = config
  const parts: Float32Array[] = []
  for (let start = 0; start < mel.frames; start += windowFrames) {
    const { data, frames } = framesOf(mel, start, Math.min(mel.frames, start + windowFrames))
    const results = await encoder.run({ mel: new Tensor('float32', data, [1, MEL_BINS, frames]) })
    parts.push(floats(output(results, 'audio_features')))
  }
  return joined(parts)
}

function framesOf(mel: Mel, start: number, end: number): Mel {
  if (start === 0 && end === mel.frames) return mel
  const frames = end - start
  const data = new Float32Array(MEL_BINS * frames)
  for (let bin = 0; bin < MEL_BINS; bin++)
    data.set(mel.data.subarray(bin * mel.frames + start, bin * mel.frames + end), bin * frames)
  return { data, frames }
}

function joined(parts: readonly Float32Array[]): Float32Array {
  const [first] = parts
  if (first && parts.length === 1) return first
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    all.set(part, at)
    at += part.length
  }
  return all
}

/** The prompt for a recording. @param features its audio features [N, H], flat */
export function promptOf(
  { tokenizer, config }: Recognizer,
  features: Float32Array,
  options: PromptOptions = {},
): Prompt {
  return buildPrompt(tokenizer, features.length / config.hiddenSize, options)
}
