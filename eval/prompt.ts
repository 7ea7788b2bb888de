import { SpeechError } from './speech-error.ts'
import { SPECIAL_TOKENS, type Tokenizer } from './tokenizer.ts'

export interface PromptOptions {
  /** Words or names that the transcript may contain; goes into the system turn. */
  readonly context?: string
  /** Force this language instead of letting the model name one. */
  readonly language?: string
}

export interface Prompt {
  readonly ids: readonly number[]
  /** index of the first audio pad */
  readonly audioOffset: number
}

/** The languages that Qwen3-ASR was trained to name (model card), by ISO 639 code. */
const LANGUAGES: Readonly<Record<string, string>> = {
  ar: 'Arabic',
  yue: 'Cantonese',
  zh: 'Chinese',
  cs: 'Czech',
  da: 'Danish',
  nl: 'Dutch',
  en: 'English',
  fil: 'Filipino',
  fi: 'Finnish',
  fr: 'French',
  de: 'German',
  el: 'Greek',
  hi: 'Hindi',
  hu: 'Hungarian',
  id: 'Indonesian',
  it: 'Italian',
  ja: 'Japanese',
  ko: 'Korean',
  mk: 'Macedonian',
  ms: 'Malay',
  fa: 'Persian',
  pl: 'Polish',
  pt: 'Portuguese',
  ro: 'Romanian',
  ru: 'Russian',
  es: 'Spanish',
  sv: 'Swedish',
  th: 'Thai',
  tr: 'Turkish',
  vi: 'Vietnamese',
}

/**
 * The prompt of the model card, every id from the model's own tokenizer.
 * @param audioTokens number of audio features that take the pads' places
 */
export function buildPrompt(tokenizer: Tokenizer, audioTokens: number, options: PromptOptions = {}): Prompt {
  const { imStart, imEnd, audioStart, audioPad, audioEnd, asrText } = SPECIAL_TOKENS
  const before = tokenizer.encode(
    `${imStart}system\n${options.context ?? ''}${imEnd}\n${imStart}user\n${audioStart}`,
  )
  const forced = options.language ? `language ${languageName(options.language)}${asrText}` : ''
  const after = tokenizer.encode(`${audioEnd}${imEnd}\n${imStart}assistant\n${forced}`)
  const pads = new Array<number>(audioTokens).fill(tokenizer.idOf(audioPad))
  return { ids: [...before, ...pads, ...after], audioOffset: before.length }
}

/**
 * The model's name of a language given by name or ISO code, in any case.
 * @throws SpeechError listing the languages
 */
export function languageName(language: string): string {
  const wanted = language.toLowerCase()
  const found = Object.entries(LANGUAGES).find(
    ([code, name]) => code === wanted || name.toLowerCase() === wanted,
  )
  if (found) return found[1]
  throw new SpeechError(
    `"${language}" is no language of Qwen3-ASR.`,
    `One of: ${Object.values(LANGUAGES).join(', ')}, or its ISO code.`,
  )
}
