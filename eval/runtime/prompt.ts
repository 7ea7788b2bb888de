// SPDX-License-Identifier: Apache-2.0

import type { EmbeddingTable } from './embeddings.ts'
import { LANGUAGES, languageName } from './languages.ts'
import { SpeechError } from './speech-error.ts'
import { SPECIAL_TOKENS, type Tokenizer } from './tokenizer.ts'

/** What a caller decides about a prompt. */
export interface PromptOptions {
  /** Words or names that the transcript may contain; goes into the system turn. */
  readonly context?: string
  /** Force this language instead of letting the model name one. */
  readonly language?: string
  /**
   * `legacy`: the ids that earlier exporters wrote into their prompt, another tokenizer's; here they spell " Current"
   * and " time" where "system" and "user" belong. To measure what they cost.
   */
  readonly prompt?: PromptStyle
}

/** Which ids the prompt has; see {@link PromptOptions.prompt}. */
export type PromptStyle = 'published' | 'legacy'

/** Token ids of a prompt, with the place of its audio features. */
export interface Prompt {
  readonly ids: readonly number[]
  /** index of the first audio pad */
  readonly audioOffset: number
}

/** A prompt with the features that take the place of its audio pads. */
export interface PromptInput {
  readonly prompt: Prompt
  /** audio features [N, H], flat */
  readonly features: Float32Array
}

/**
 * The prompt of the model card, every id from the model's own tokenizer.
 * @param audioTokens number of audio features that take the pads' places
 */
export function buildPrompt(tokenizer: Tokenizer, audioTokens: number, options: PromptOptions = {}): Prompt {
  const [before, after] = promptTexts(options).map((text) => tokenizer.encode(text)) as [number[], number[]]
  if (options.prompt === 'legacy') useLegacyIds(before, tokenizer)
  const pads = new Array<number>(audioTokens).fill(tokenizer.idOf(SPECIAL_TOKENS.audioPad))
  return { ids: [...before, ...pads, ...after], audioOffset: before.length }
}

/** What stands before a prompt's audio, and what behind it. */
function promptTexts({ context = '', language }: PromptOptions): [string, string] {
  const { imStart, imEnd, audioStart, audioEnd, asrText } = SPECIAL_TOKENS
  const forced = language ? `language ${languageName(language)}${asrText}` : ''
  return [
    `${imStart}system\n${context}${imEnd}\n${imStart}user\n${audioStart}`,
    `${audioEnd}${imEnd}\n${imStart}assistant\n${forced}`,
  ]
}

/** All texts that prompts without a context are made of. */
export function usualPromptTexts(): string[] {
  const languages = [{}, ...Object.values(LANGUAGES).map((language) => ({ language }))]
  return [...new Set(languages.flatMap(promptTexts))]
}

/**
 * The prompt as the fused decoder takes it: token embeddings, with the audio features in the pads' places.
 * @param features [N, hidden] flat
 * @param out where [S, hidden] is written, at its front
 * @throws SpeechError when there are more features than places
 */
export function promptEmbeddings(
  { ids, audioOffset }: Prompt,
  features: Float32Array,
  embeddings: EmbeddingTable,
  out: Float32Array,
): void {
  const { hidden } = embeddings
  const end = audioOffset + features.length / hidden
  if (!(end <= ids.length)) {
    throw new SpeechError(
      `The prompt has ${ids.length} tokens, wanted at least ${end} for its audio features.`,
    )
  }
  for (let i = 0; i < ids.length; i++) {
    if (i < audioOffset || i >= end) embeddings.read(ids[i] as number, out, i * hidden)
  }
  out.set(features, audioOffset * hidden)
}

/** What earlier exporters have where the published tokenizer has `id`. */
const LEGACY_IDS = [
  { id: 8948, word: 'system', legacy: 9125 },
  { id: 872, word: 'user', legacy: 882 },
] as const

/** @throws SpeechError when the model has another tokenizer, for which the legacy ids mean nothing */
function useLegacyIds(ids: number[], tokenizer: Tokenizer): void {
  const imStart = tokenizer.idOf(SPECIAL_TOKENS.imStart)
  const turns = ids.flatMap((id, i) => (id === imStart ? [i + 1] : []))
  for (const [turn, { id, word, legacy }] of LEGACY_IDS.entries()) {
    const at = turns[turn] ?? -1
    if (ids[at] !== id) {
      throw new SpeechError(
        `The legacy prompt is one of the published tokenizer, where "${word}" is ${id}; here it is ${ids[at]}.`,
        'Leave --prompt legacy out for this model.',
      )
    }
    ids[at] = legacy
  }
}
