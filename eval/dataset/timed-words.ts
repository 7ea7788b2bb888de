// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'
import type { TimedWord } from '../runtime/timed-word.ts'
import type { Span } from './entry.ts'

/* Times of words as datasets hold them, checked. */

/** What aligners write where nobody speaks: MFA, Kaldi, MAUS. */
const PAUSES = new Set(['', '<eps>', '<sil>', 'sil', 'sp', '<p>', '<p:>'])

/** No word, but a stretch without speech. */
export function isPause(text: string): boolean {
  return PAUSES.has(text.trim().toLowerCase())
}

/**
 * The words of a manifest: objects of `text` (or `word`), `start` and `end`, in seconds from the start of the utterance.
 * @returns undefined for a column that holds something else
 * @throws SpeechError naming the word that is malformed
 */
export function listedWords(value: unknown, where: string): readonly TimedWord[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || !value.every(isRecord)) return undefined
  const words: TimedWord[] = []
  for (const [i, { text, word, start, end }] of value.entries()) {
    const place = `${where}, word ${i + 1}`
    words.push(checkedWord({ text: text ?? word, start, end }, words.at(-1), place))
  }
  return words
}

/**
 * A word that has text and times.
 * @param before the word that is listed before it
 * @param where file and line
 * @throws SpeechError when its times are not finite, in the wrong order, or earlier than those of the word before
 */
export function checkedWord(
  { text, start, end }: { readonly [K in keyof TimedWord]: unknown },
  before: TimedWord | undefined,
  where: string,
): TimedWord {
  if (typeof text !== 'string' || text.trim() === '') throw new SpeechError(`${where} has no text.`)
  if (!isTime(start) || !isTime(end))
    throw new SpeechError(
      `${where}: "${text}" is from ${String(start)} to ${String(end)}, wanted numbers of seconds, 0 or more.`,
    )
  if (end < start)
    throw new SpeechError(`${where}: "${text}" ends at ${end} s, before its start at ${start} s.`)
  if (before && start < before.start)
    throw new SpeechError(
      `${where}: "${text}" starts at ${start} s, before "${before.text}" at ${before.start} s.`,
      'List the words in the order of their starts.',
    )
  return { text: text.trim(), start, end }
}

/** The words of a part of a recording, from the start of that part: those whose middle is in it. */
export function wordsWithin(words: readonly TimedWord[], { offset, duration }: Span): readonly TimedWord[] {
  const stop = duration === undefined ? Number.POSITIVE_INFINITY : offset + duration
  return words
    .filter(({ start, end }) => (start + end) / 2 >= offset && (start + end) / 2 < stop)
    .map(({ text, start, end }) => ({
      text,
      start: exact(Math.max(0, start - offset)),
      end: exact(end - offset),
    }))
}

/** To a microsecond: sums of decimal fractions are not exact. */
export function exact(seconds: number): number {
  return Math.round(1e6 * seconds) / 1e6
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
