// SPDX-License-Identifier: Apache-2.0

import type { EmbeddingTable } from './embeddings.ts'
import { openFusedDecoder } from './fused-decoder.ts'
import type { Layout, PrefillKind } from './graphs.ts'
import type { LoadCache } from './load-cache.ts'
import { preparePrefill } from './prefill.ts'
import type { PromptInput } from './prompt.ts'
import { USUAL_PROVIDER } from './providers.ts'
import type { Way } from './release.ts'
import type { SessionOptions, Source } from './session.ts'
import { SpeechError } from './speech-error.ts'
import { openSplitDecoder } from './split-decoder.ts'

/** Sequences that are decoded together, one token each at a time. Calls must not overlap. */
export interface Decoder {
  readonly layout: Layout
  readonly prefillKind: PrefillKind
  /** sequences at once */
  readonly maxRows: number
  /** sequences now */
  readonly rows: number
  /** whether tokens that may come can be checked in the run of the prompt */
  readonly takesDrafts: boolean
  /** whether {@link attention} shows which part of the audio each token was read from, so that words have times */
  readonly alignsWords: boolean
  /**
   * Run prompts together and add their sequences as the last rows. Shorter ones are padded, so that one by one is as
   * fast where they fill the processor.
   * @param draft tokens that may follow a single prompt, where the decoder takes drafts. They become part of the sequence:
   *   {@link shorten} takes those back that the logits do not bear out.
   * @returns logits of their last positions [inputs, V], valid until the next call; with a draft those of the prompt's last
   *   position and of each token of the draft [1 + draft, V]
   */
  prefill(inputs: readonly PromptInput[], draft?: readonly number[]): Promise<Float32Array>
  /**
   * Feed one token to every row.
   * @returns logits [rows, V], valid until the next call
   */
  step(tokens: readonly number[]): Promise<Float32Array>
  /**
   * Where the last call looked when it computed logits: the mean attention of the heads that follow the speech.
   * @param index of the logits among those of the call
   * @returns a weight for each position of the sequence from its first on, valid until the next call; what is behind the
   *   sequence's end is of no meaning
   */
  attention(index: number): Float32Array
  /** Take the last positions of a row back. */
  shorten(row: number, positions: number): void
  /** Take a row out; the last row takes its place. */
  remove(row: number): void
  /** Take all rows out. */
  clear(): void
  release(): Promise<void>
}

/** How a decoder is loaded. */
export interface DecoderOptions extends SessionOptions {
  /** by default fused where the folder has it */
  readonly layout?: Layout
  /** by default int8 where the variant and the provider have it; of the fused layout only */
  readonly prefill?: PrefillKind
  /**
   * Step so that what a sequence becomes does not depend on who else is in the batch: see steady-rows.ts. Where it takes an
   * even number of rows, the last one may hold nothing.
   */
  readonly isSteady?: boolean
  /** keeps the weights of prompts in 8 bits for the next load; by default they are made again */
  readonly cache?: LoadCache
  /** where keys and values are; by default where the provider has them. Those of prompts in 8 bits are in the program's memory */
  readonly kv?: 'host' | 'device'
  /** whether a long context's keys and values are kept for the prompts that follow; true */
  readonly keepsHead?: boolean
}

/**
 * Begin to load the decoder of a variant: what takes no session is made in a separate thread meanwhile.
 * @returns what loads the rest; it throws SpeechError when a graph is missing or refused
 */
export function prepareDecoder(
  source: Source,
  embeddings: EmbeddingTable,
  options: DecoderOptions,
): () => Promise<Decoder> {
  const { layout, prefill } = chooseWay(source, options)
  if (layout === 'split') return () => openSplitDecoder(source, embeddings, options)
  const opening = prefill === 'int8' ? preparePrefill(source, options.cache) : undefined
  return () => openFusedDecoder(source, embeddings, options, opening)
}

/** As {@link prepareDecoder}, at once. */
export async function openDecoder(...args: Parameters<typeof prepareDecoder>): Promise<Decoder> {
  return prepareDecoder(...args)()
}

/**
 * What is asked for, and the variant's first way for the rest.
 * @throws SpeechError when the variant has no graph for prompts in 8 bits
 */
export function chooseWay(
  { variant, release }: Source,
  { layout, prefill, provider = USUAL_PROVIDER }: DecoderOptions,
): Way {
  const ways = variant.ways(provider)
  const fits = (way: Way) => way.layout === (layout ?? way.layout) && way.prefill === (prefill ?? way.prefill)
  const found = ways.find(fits)
  if (found) return found
  const layouts = new Set(ways.map((way) => way.layout))
  if (layout !== undefined && layouts.size > 0 && !layouts.has(layout))
    throw new SpeechError(
      `${variant.name} in ${release.folder} cannot be run in the ${layout} layout: it has the ${[...layouts].join(' and ')} layout only.`,
      'Leave the layout out, or choose another variant.',
    )
  if (prefill === 'int8')
    throw new SpeechError(
      `${variant.name} in ${release.folder} has no prompts in 8 bits${provider === USUAL_PROVIDER ? '' : ` with ${provider}`}.`,
      'Leave prefill out, or choose another variant.',
    )
  return { layout: layout ?? 'split', prefill: 'same' } // whatever is missing is named when it is opened
}

/**
 * Index of the largest of the logits of one row; the first of equals, as torch.argmax on CPU.
 * @param logits [rows, vocab]
 * @throws SpeechError when the largest is not a finite number: any token would be as right as another
 */
export function argmax(logits: Float32Array, row = 0, vocab = logits.length): number {
  const start = row * vocab
  let best = start
  let largest = logits[start] as number
  for (let i = start + 1; i < start + vocab; i++) {
    const value = logits[i] as number
    if (value > largest) {
      largest = value
      best = i
    }
  }
  if (Number.isFinite(largest)) return best - start
  throw new SpeechError(
    `The decoder computed ${largest} as its largest logit, wanted a finite number.`,
    'Try --provider cpu; npm run compare shows which variant computes rightly.',
  )
}
