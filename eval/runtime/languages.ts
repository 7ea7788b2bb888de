// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from './speech-error.ts'

/** ISO code to the model's name of each language it supports (Qwen3-ASR's model card). */
export const LANGUAGES = {
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
} as const

/** ISO code of a language that the model supports. */
export type LanguageCode = keyof typeof LANGUAGES

/**
 * The model's name of a language given by name, ISO code or BCP 47 tag (zh-CN, pt_BR), in any case.
 * @throws SpeechError listing the languages
 */
export function languageName(language: string): string {
  const wanted = language.trim().toLowerCase()
  const codes = languageCodes(language)
  const byName = Object.values(LANGUAGES).find((name) => name.toLowerCase() === wanted)
  const code = codes.find(isLanguageCode)
  const found = byName ?? (code && LANGUAGES[code])
  if (found !== undefined) return found
  throw new SpeechError(
    `"${language}" is not a language of Qwen3-ASR.`,
    `One of: ${Object.values(LANGUAGES).join(', ')}, or its ISO code or BCP 47 tag.`,
  )
}

function isLanguageCode(text: string): text is LanguageCode {
  return Object.hasOwn(LANGUAGES, text)
}

/**
 * The languages that a tag names, in their preferred form (cmn is zh, tl is fil). One that is an extension of another
 * (zh-yue, zh-cmn-Hans: RFC 5646 section 2.2.2) stands for itself, and for the other where it is not known. POSIX writes pt_BR.UTF-8.
 */
function languageCodes(tag: string): string[] {
  const plain = tag
    .trim()
    .replace(/[.@].*$/, '')
    .replaceAll('_', '-')
  const [, primary = '', extension = '', rest = ''] = /^([a-z]{2,3})-([a-z]{3})(-.*)?$/i.exec(plain) ?? []
  const tags = extension ? [extension + rest, primary + rest] : [plain]
  return tags.flatMap((each) => {
    try {
      return [new Intl.Locale(each).language]
    } catch {
      return [] // a name
    }
  })
}
