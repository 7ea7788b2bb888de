// SPDX-License-Identifier: Apache-2.0

import type { TimedWord } from '../../eval/runtime/timed-word.ts'
import { featureStart, timedWords } from '../../eval/runtime/words/word-times.ts'
import { type Head, MAX_HEADS } from '../../graph-tools/attention.ts'
import type { HeardClip } from './attention-run.ts'

/** How far the largest weight may be from a word's middle, in seconds: that, or half of the word. */
const NEAR = 0.24
/** A head that hits fewer words does not follow the speech: chance is about a quarter in short clips. */
const LEAST_HITS = 0.5

const SAID = /[\p{L}\p{N}]/u

/** Heads whose mean attention shows when words are said. */
export interface ChosenHeads {
  /** the best one first */
  readonly heads: readonly Head[]
  /** share of tokens at which the best head looks at their word */
  readonly hits: number
  /** tokens that were looked at */
  readonly tokens: number
  /** of the edges of words, in seconds */
  readonly error: number
  /** edges that were looked at */
  readonly edges: number
}

/**
 * Find the heads that follow the speech. Rank all by how often the largest weight is at the word that a token is of,
 * and take as many of the first as place the edges of words best.
 * @returns undefined when no head follows the speech
 */
export function chooseHeads(clips: readonly HeardClip[]): ChosenHeads | undefined {
  const targets = clips.map(targetsOf)
  const tokens = targets.reduce((sum, { length }) => sum + length, 0)
  const ranked = allHeads(clips)
    .map((head) => ({ head, hits: hitsOf(head, clips, targets) / tokens }))
    .sort((a, b) => b.hits - a.hits)
  const following = ranked.filter(({ hits }) => hits >= LEAST_HITS).slice(0, MAX_HEADS)
  const [first] = following
  if (!first) return undefined
  const trials = following.map((_, i) => {
    const heads = following.slice(0, i + 1).map(({ head }) => head)
    return { heads, ...edgeErrors(heads, clips) }
  })
  const best = trials.reduce((a, b) => (b.error < a.error ? b : a))
  return { ...best, hits: first.hits, tokens }
}

/** A token with the middle of its word. */
interface Target {
  readonly token: number
  readonly middle: number
  readonly reach: number
}

function targetsOf({ clip, text, ranges }: HeardClip): Target[] {
  const places = placesOf(text, clip.words)
  return ranges.flatMap(({ start, end }, token) => {
    const place = places.find((word) => word.from < end && word.to > start)
    if (!place || !SAID.test(text.slice(start, end))) return []
    const { word } = place
    const reach = Math.max(NEAR, (word.end - word.start) / 2)
    return [{ token, middle: (word.start + word.end) / 2, reach }]
  })
}

/** Where the words are in the text, in order. */
function placesOf(text: string, words: readonly TimedWord[]) {
  let at = 0
  return words.flatMap((word) => {
    const from = text.indexOf(word.text, at)
    if (from < 0) return []
    at = from + word.text.length
    return [{ word, from, to: at }]
  })
}

function allHeads([first]: readonly HeardClip[]): Head[] {
  return (first?.heads ?? []).flatMap((heads, layer) => heads.map((_, head) => ({ layer, head })))
}

function hitsOf(
  { layer, head }: Head,
  clips: readonly HeardClip[],
  targets: readonly (readonly Target[])[],
): number {
  let hits = 0
  for (const [i, clip] of clips.entries()) {
    const rows = clip.heads[layer]?.[head] ?? []
    for (const { token, middle, reach } of targets[i] ?? []) {
      const at = featureStart(largest(rows[token] ?? new Float32Array(0)) + 0.5)
      if (Math.abs(at - middle) <= reach) hits++
    }
  }
  return hits
}

function largest(values: Float32Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i
  return best
}

/** The mean over the edges of all words whose times are known. */
function edgeErrors(heads: readonly Head[], clips: readonly HeardClip[]): { error: number; edges: number } {
  let [sum, edges] = [0, 0]
  for (const clip of clips) {
    const found = timedWords({ ...clip, attention: meanOf(heads, clip) })
    let next = 0
    for (const { text, start, end } of clip.clip.words) {
      const [first, last] = [found[next], found[next + text.split(' ').length - 1]]
      next += text.split(' ').length
      if (!first || !last) continue
      sum += Math.abs(first.start - start) + Math.abs(last.end - end)
      edges += 2
    }
  }
  return { error: sum / edges, edges }
}

function meanOf(heads: readonly Head[], clip: HeardClip): Float32Array[] {
  const [{ layer, head } = { layer: 0, head: 0 }] = heads
  const rows = clip.heads[layer]?.[head] ?? []
  return rows.map(({ length }, row) => {
    const mean = new Float32Array(length)
    for (const one of heads) {
      const weights = clip.heads[one.layer]?.[one.head]?.[row] as Float32Array
      for (let i = 0; i < length; i++) mean[i] = (mean[i] as number) + (weights[i] as number) / heads.length
    }
    return mean
  })
}
