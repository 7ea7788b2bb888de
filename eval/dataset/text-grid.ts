// SPDX-License-Identifier: Apache-2.0

import { SpeechError } from '../runtime/speech-error.ts'
import type { TimedWord } from '../runtime/timed-word.ts'
import { lineEnds, readText } from '../text-file.ts'
import { checkedWord, isPause } from './timed-words.ts'

/** A string, a comment up to the line's end, or anything else between white space. */
const TOKENS = /"(?<string>(?:[^"]|"")*)"|!.*|\S+/g
const FLAG = /^<\w+>$/
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i
/** What aligners call the tier of words: MFA (with a speaker before it), MAUS. */
const WORDS = /^(?:.+ - )?words?$|^ort(?:-mau)?$/i

interface Value {
  readonly value: string | number
  readonly line: number
}

/** An interval, and where in the file its text stands. */
interface Interval {
  readonly start: number
  readonly end: number
  readonly text: string
  readonly line: number
}

interface Tier {
  readonly name: string
  readonly intervals: readonly Interval[]
}

/**
 * The words of a Praat TextGrid, in the long or the short text format
 * (https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html): those of the interval tier named `words`, `word` or
 * `ORT`, or else of the first interval tier. Intervals without text are pauses.
 * @throws SpeechError naming file and line
 */
export async function readTextGrid(path: string): Promise<readonly TimedWord[]> {
  const words: TimedWord[] = []
  for (const { line, ...word } of chooseTier(path, readTiers(path, valuesOf(await readText(path)))).intervals)
    if (!isPause(word.text)) words.push(checkedWord(word, words.at(-1), `${path}, line ${line}`))
  return words
}

/** Both formats have the same values in the same order: free-standing strings, numbers and flags. The rest is for people. */
function valuesOf(text: string): Value[] {
  const values: Value[] = []
  let [line, position] = [1, 0]
  for (const { 0: token, index, groups } of text.matchAll(TOKENS)) {
    line += lineEnds(text.slice(position, index))
    position = index
    const string = groups?.['string']
    if (string !== undefined) values.push({ value: string.replaceAll('""', '"'), line })
    else if (NUMBER.test(token)) values.push({ value: Number(token), line })
    else if (FLAG.test(token)) values.push({ value: token, line })
  }
  return values
}

/** The interval tiers; those of points are passed over. */
function readTiers(path: string, values: readonly Value[]): Tier[] {
  const [type, kind] = values.slice(0, 2).map(({ value }) => value)
  if (!/^ooTextFile( short)?$/.test(String(type)) || kind !== 'TextGrid')
    throw new SpeechError(`${path} is not a TextGrid in a text format.`, 'In Praat: Save as text file.')
  const read = makeReader(path, values.slice(2))
  read.number('the start')
  read.number('the end')
  if (read.text('<exists>').value !== '<exists>') return []
  return Array.from({ length: read.count('the number of tiers') }, () => {
    const kind = read.text('the class of a tier')
    const name = read.text('the name of a tier').value
    read.number('the start of a tier')
    read.number('the end of a tier')
    const count = read.count('the number of intervals')
    if (kind.value === 'IntervalTier')
      return [{ name, intervals: Array.from({ length: count }, () => readInterval(read)) }]
    if (kind.value !== 'TextTier')
      throw new SpeechError(`${path}, line ${kind.line} is "${kind.value}", wanted IntervalTier or TextTier.`)
    for (let i = 0; i < count; i++) [read.number('the time of a point'), read.text('the text of a point')]
    return []
  }).flat()
}

function readInterval(read: Reader): Interval {
  const [start, end] = [read.number('the start of an interval'), read.number('the end of an interval')]
  const { value: text, line } = read.text('the text of an interval')
  return { start, end, text, line }
}

/** Values one after the other. */
interface Reader {
  number(what: string): number
  /** a number of things that can be in the file */
  count(what: string): number
  text(what: string): { readonly value: string; readonly line: number }
}

/** @throws SpeechError of its methods, when the next value is of another type, or there is none */
function makeReader(path: string, values: readonly Value[]): Reader {
  let next = 0
  const refuse = (what: string): never => {
    const found = values[next]
    if (found === undefined) throw new SpeechError(`${path} ends where ${what} should be.`)
    throw new SpeechError(`${path}, line ${found.line} has ${JSON.stringify(found.value)}, wanted ${what}.`)
  }
  const number = (what: string, isRight = (_: number) => true) => {
    const { value } = values[next] ?? {}
    if (typeof value !== 'number' || !isRight(value)) return refuse(what)
    next++
    return value
  }
  return {
    number: (what) => number(what),
    count: (what) => number(what, (value) => Number.isInteger(value) && value >= 0 && value <= values.length),
    text(what) {
      const { value, line = 0 } = values[next] ?? {}
      if (typeof value !== 'string') return refuse(what)
      next++
      return { value, line }
    },
  }
}

function chooseTier(path: string, tiers: readonly Tier[]): Tier {
  const named = tiers.filter(({ name }) => WORDS.test(name.trim()))
  if (named.length > 1)
    throw new SpeechError(
      `${path} has ${named.length} tiers of words: ${named.map(({ name }) => name).join(', ')}.`,
      'Keep one of them.',
    )
  const [tier] = [...named, ...tiers]
  if (tier) return tier
  throw new SpeechError(`${path} has no interval tier.`)
}
