// SPDX-License-Identifier: Apache-2.0

import { type Decode, makeDecodeLoop } from './decode-loop.ts'
import { makePlaces, type TakePlace } from './decode-places.ts'
import { type Decoder, type DecoderOptions, prepareDecoder } from './decoder.ts'
import type { EmbeddingTable } from './embeddings.ts'
import { type Encoder, openEncoder } from './encoder.ts'
import { openTokenizer } from './kept-tokenizer.ts'
import type { Mel } from './mel.ts'
import { makePrefixDraft, type PrefixDraft } from './prefix-draft.ts'
import { buildPrompt, type Prompt, type PromptOptions, usualPromptTexts } from './prompt.ts'
import { USUAL_PROVIDER } from './providers.ts'
import { openVariantEmbeddings } from './quantized-embeddings.ts'
import { openRelease } from './release.ts'
import type { ReleaseConfig } from './release-config.ts'
import { requireProvider, type Source } from './session.ts'
import { SpeechError } from './speech-error.ts'
import { SPECIAL_TOKENS, type Tokenizer } from './tokenizer.ts'

/** One loaded variant of a release directory. */
export interface Recognizer {
  readonly config: ReleaseConfig
  readonly tokenizer: Tokenizer
  readonly encoder: Encoder
  readonly decoder: Decoder
  readonly embeddings: EmbeddingTable
  /** queue a sequence to be decoded, at most `batch` at once */
  readonly decode: Decode
  /** none where what a sequence becomes must not depend on those before it */
  readonly draft: PrefixDraft | undefined
  /** for a piece that is in memory: those that are decoded together, and as many that wait for them */
  readonly takePlace: TakePlace
}

/** How a recognizer is loaded. */
export interface LoadOptions extends DecoderOptions {
  /** as {@link openRelease} names them; int4 where the folder has it */
  readonly variant?: string
  /** sequences that are decoded together; 1 by default */
  readonly batch?: number
  /** an encoder of this variant that is loading already, in a separate thread; the recognizer releases it, also when it cannot be loaded */
  readonly encoder?: Promise<Encoder>
}

/**
 * Load a release directory. A file of the variant that is missing is replaced by its FP32 one.
 * @throws SpeechError when a file is missing, the runtime refuses it, or the layout cannot decode batches
 */
export async function loadRecognizer(folder: string, options: LoadOptions): Promise<Recognizer> {
  const { encoder } = options
  encoder?.catch(() => undefined) // loading rejects with it
  try {
    requireProvider(options.provider ?? USUAL_PROVIDER)
    const release = await openRelease(folder, 'asr')
    return await loadWith({ release, variant: release.variant(options.variant) }, options)
  } catch (error) {
    // a thread that is ended from outside while it loads takes the process along
    await encoder?.then((loaded) => loaded.release()).catch(() => undefined)
    throw error
  }
}

async function loadWith(source: Source, options: LoadOptions): Promise<Recognizer> {
  const { release, variant } = source
  const { folder, config } = release
  const tokenizer = await openTokenizer(folder, options.cache, usualPromptTexts())
  const embeddings = await openVariantEmbeddings(release, variant)
  const openDecoder = prepareDecoder(source, embeddings, options)
  const here = options.encoder ?? (await openEncoder(source, options))
  const decoder = await openDecoder()
  const { batch = 1 } = options
  if (batch > decoder.maxRows) {
    throw new SpeechError(
      `${folder} has the split layout, which decodes one sequence at a time, not ${batch}.`,
      'Run the pipeline again: its releases have the fused layout (decoder.onnx) too. Or leave --batch out.',
    )
  }
  const draft = options.isSteady ? undefined : makePrefixDraft(tokenizer.idOf(SPECIAL_TOKENS.asrText))
  const decode = makeDecodeLoop(decoder, config, batch)
  // one at a time: the next piece is read when the one before has ended, so that reading is not part of its time
  const takePlace = makePlaces(batch === 1 ? 1 : 2 * batch)
  const encoder = await here
  return { config, tokenizer, encoder, decoder, embeddings, decode, draft, takePlace }
}

/** Release the sessions and close the embedding table. The recognizer cannot be used afterwards. */
export async function releaseRecognizer(recognizer: Recognizer): Promise<void> {
  await recognizer.encoder.release()
  await recognizer.decoder.release()
  recognizer.embeddings.close()
}

/** mel [128, T] -> audio features [N, H], flat */
export function encode({ encoder }: Pick<Recognizer, 'encoder'>, mel: Mel): Promise<Float32Array> {
  return encoder.run(mel)
}

/** The prompt for a recording. @param features its audio features [N, H], flat */
export function promptOf(
  { tokenizer, config }: Recognizer,
  features: Float32Array,
  options: PromptOptions = {},
): Prompt {
  return buildPrompt(tokenizer, features.length / config.hiddenSize, options)
}
