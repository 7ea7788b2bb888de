// SPDX-License-Identifier: Apache-2.0

import type { TimedWord } from '../../eval/runtime/timed-word.ts'

/* Words with their times in the formats of other programs. Numbers are seconds, to the millisecond. */

/**
 * NIST's CTM (https://github.com/usnistgov/SCTK/blob/master/doc/infmts.htm): a line of the recording, the channel, the start,
 * the duration and the word. White space separates fields, so that it is left out of words, with punctuation that stands alone.
 * @param name of the recording
 */
export function ctm(name: string, words: readonly TimedWord[]): string {
  const recording = name.replace(/\s+/g, '_') || '_'
  const lines = words.map(({ text, start, end }) => {
    const [from, to] = [thousandths(start), thousandths(end)]
    return `${recording} 1 ${seconds(from)} ${seconds(to - from)} ${bareWord(text)}\n`
  })
  return lines.join('')
}

/** What is said of a word, with the punctuation that stands at it. */
function bareWord(text: string): string {
  const parts = text.split(/\s+/)
  return parts.filter((part) => /[\p{L}\p{N}]/u.test(part)).join('') || parts.join('')
}

/**
 * Praat's TextGrid (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html) with one tier, `words`. Its intervals
 * cover the recording; one cannot be empty, so that a word without a length gets a millisecond.
 * @param end of the recording
 */
export function textGrid(words: readonly TimedWord[], end: number): string {
  const intervals = intervalsOf(words, thousandths(end))
  const last = seconds(intervals.at(-1)?.end ?? 0)
  const head = ['File type = "ooTextFile"', 'Object class = "TextGrid"', '', 'xmin = 0', `xmax = ${last}`]
  const tier = ['class = "IntervalTier"', 'name = "words"', 'xmin = 0', `xmax = ${last}`]
  const lines = [
    ...[...head, 'tiers? <exists>', 'size = 1', 'item []:', '    item [1]:'],
    ...[...tier, `intervals: size = ${intervals.length}`].map((line) => `        ${line}`),
    ...intervals.flatMap(({ start, end: until, text }, i) => [
      `        intervals [${i + 1}]:`,
      ...[
        `xmin = ${seconds(start)}`,
        `xmax = ${seconds(until)}`,
        `text = "${text.replaceAll('"', '""')}"`,
      ].map((line) => `            ${line}`),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

/** Times in milliseconds, of words and of the pauses between them. */
function intervalsOf(words: readonly TimedWord[], end: number): TimedWord[] {
  const intervals: TimedWord[] = []
  let now = 0
  const add = (until: number, text: string) => {
    intervals.push({ start: now, end: until, text })
    now = until
  }
  for (const { text, ...times } of words) {
    const start = Math.max(now, thousandths(times.start))
    if (start > now) add(start, '')
    add(Math.max(start + 1, thousandths(times.end)), text)
  }
  if (end > now || intervals.length === 0) add(Math.max(end, now + 1), '')
  return intervals
}

function thousandths(value: number): number {
  return Math.round(1000 * value)
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(3)
}
