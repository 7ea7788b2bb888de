// SPDX-License-Identifier: Apache-2.0

import { LANGUAGES } from './languages.ts'
import { SPECIAL_TOKENS } from './tokenizer.ts'

/** The model's output, divided into language and text. */
export interface ParsedTranscript {
  /** the language the model named; undefined for "None" and for output without the marker */
  readonly language: string | undefined
  readonly text: string
  /** false when `<asr_text>` is missing: the whole output then counts as text, unless it only names a language */
  readonly hasMarker: boolean
  /** the model said `language None`: it recognized no speech */
  readonly saysNone: boolean
}

/** The full stops of the languages, with space before them. */
const FULL_STOP = /\s*[.。．｡।]+$/u

/**
 * Split `language {Name}<asr_text>{text}`. A language without any text after it counts as no text.
 * @param language the language when it was forced: the marker then stands in the prompt, not in the output
 */
export function parseTranscript(raw: string, language?: string): ParsedTranscript {
  if (language !== undefined) return { language, text: raw.trim(), hasMarker: true, saysNone: false }
  const at = raw.indexOf(SPECIAL_TOKENS.asrText)
  const head = (at < 0 ? raw : raw.slice(0, at)).trim()
  const named = /^language\s+(\S.*)$/i.exec(head)?.[1]?.replace(FULL_STOP, '')
  const saysNone = named?.toLowerCase() === 'none'
  if (at < 0) {
    const text = saysNone || isLanguage(named) ? '' : raw.trim()
    return { language: undefined, text, hasMarker: false, saysNone }
  }
  return {
    language: saysNone ? undefined : named,
    text: raw.slice(at + SPECIAL_TOKENS.asrText.length).trim(),
    hasMarker: true,
    saysNone,
  }
}

/**
 * Where the transcript begins in an output.
 * @param language as for {@link parseTranscript}
 */
export function textStart(raw: string, language?: string): number {
  const at = language === undefined ? raw.indexOf(SPECIAL_TOKENS.asrText) : -1
  return at < 0 ? 0 : at + SPECIAL_TOKENS.asrText.length
}

function isLanguage(name: string | undefined): boolean {
  return Object.values(LANGUAGES).some((known) => known.toLowerCase() === name?.toLowerCase())
}

/**
 * The part of an output that is transcript for sure: what follows the marker, without a character that is not whole yet.
 * @param language as for {@link parseTranscript}
 */
export function transcriptSoFar(raw: string, language?: string): string {
  const { text, hasMarker } = parseTranscript(raw, language)
  return hasMarker ? text.replace(/\uFFFD+$/u, '').trimEnd() : ''
}
