// SPDX-License-Identifier: Apache-2.0

import { isUnspaced } from './runtime/writing-system.ts'
import { columns } from './text-columns.ts'

/*
 * Where lines may break: a small part of Unicode Standard Annex #14 and of JIS X 4051 (kinsoku). Words of scripts without
 * spaces come from Intl.Segmenter, which has dictionaries.
 */

const words = new Intl.Segmenter('en', { granularity: 'word' })
const letters = new Intl.Segmenter('en', { granularity: 'grapheme' })

/** No line begins with these: what closes, stops, repeats or lengthens what is before it, and small kana. */
const NO_START =
  /^[\p{Pe}\p{Pf}\p{M}.,:;!?%‰°′″℃…‥·・｡､･。、，．：；！？％､－ー〜～ｰ゛゜々〻ゝゞヽヾぁぃぅぇぉっゃゅょゎゕゖァィゥェォッャュョヮヵヶㇰ-ㇿｧ-ｯ‼⁇⁈⁉،؛؟۔।॥ฯๆຯໆ၊။។-៚܀-܍՝՜՞։]/u
/** No line ends with these: what opens, and vowels that are written before their consonant. */
const NO_END = /[\p{Ps}\p{Pi}¿¡＄￥￡#\u0e40-\u0e44\u0ec0-\u0ec4][\p{M}\p{Cf}]*$/u
/** A line may break behind these without a space: Tibetan and Ethiopic separators, and the space of no width. */
const SEPARATOR = /[\u0f0b\u0f0d\u1361\u200b]$/u
/** What a word that is too long is broken behind, where it has any. */
const JOINT = /[-‐–—/\\_.,:;=&?+~|]$/u
/** They open or close: the character is the same. */
const QUOTES = /^["']|["']$/u

/**
 * A text as parts that a line may be broken between, each with the space that follows it, and none wider than a line.
 * Controls, line breaks and repeated spaces become one space.
 * @param width of a line in columns
 */
export function breakable(text: string, width: number): string[] {
  const parts: string[] = []
  for (const { segment } of words.segment(plain(text))) {
    const last = parts.at(-1)
    if (last === undefined || mayBreak(last, segment)) parts.push(segment)
    else parts[parts.length - 1] = last + segment
  }
  return parts.flatMap((part) => (columns(part.trimEnd()) <= width ? [part] : pieces(part, width)))
}

function plain(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, (run) => (/^\u3000+$/.test(run) ? '\u3000' : ' ')).trim()
}

function mayBreak(before: string, after: string): boolean {
  if (/^\s/u.test(after)) return false
  if (NO_START.test(after) || NO_END.test(before.trimEnd())) return false
  if (/\s$/u.test(before) || SEPARATOR.test(before)) return true
  if (QUOTES.test(after) || QUOTES.test(before.slice(-1))) return false
  return isUnspaced(before, after)
}

/** A word that is wider than a line: broken behind a joint, or else between two letters. */
function pieces(word: string, width: number): string[] {
  const done: string[] = []
  let left = [...letters.segment(word)].map(({ segment }) => segment)
  while (columns(left.join('').trimEnd()) > width) {
    const count = breakAt(left, width)
    done.push(left.slice(0, count).join(''))
    left = left.slice(count)
  }
  return [...done, left.join('')]
}

/** How many letters fit; less to break behind a joint in the second half, or where a line may begin and end. */
function breakAt(word: readonly string[], width: number): number {
  let fits = 1
  for (let sum = columns(word[0] ?? ''); fits < word.length; fits++) {
    sum += columns(word[fits] as string)
    if (sum > width) break
  }
  const isAllowed = (count: number) =>
    !NO_START.test(word[count] ?? '') && !NO_END.test(word[count - 1] as string)
  const counts = Array.from({ length: Math.ceil(fits / 2) }, (_, i) => fits - i)
  return (
    counts.find((count) => JOINT.test(word[count - 1] as string) && isAllowed(count)) ??
    counts.find(isAllowed) ??
    fits
  )
}
