// SPDX-License-Identifier: Apache-2.0

import {
  bootstrapInterval,
  type Difference,
  type Interval,
  pairedDifference,
  quantile,
  type Sample,
} from '../bootstrap.ts'
import type { HotwordScore } from './hotword-score.ts'

/* Figures of hotwords over all utterances, and what lists change. */

/** A share with its interval, and the counts behind it. NaN where there is nothing to count in. */
export interface HotwordRate extends Interval {
  readonly rate: number
  readonly count: number
  readonly of: number
}

/** How a system recognized the hotwords of all utterances that have a list. */
export interface HotwordFigures {
  readonly utterances: number
  /** hotwords of the shortest list, of half of them at most, of the longest */
  readonly listed: { readonly least: number; readonly median: number; readonly most: number }
  /** of these utterances; errors of biased and unbiased words add up to it */
  readonly wer: HotwordRate
  readonly bWer: HotwordRate
  readonly uWer: HotwordRate
  /** rare ones that were recognized, of those in the references */
  readonly recall: HotwordRate
  /** listed ones that the references do not have, for each word of these */
  readonly falseInsertions: HotwordRate
}

/** What the lists changed: a rate with them less that without, on the same utterances. */
export interface HotwordDifferences {
  readonly utterances: number
  readonly wer: Difference
  readonly bWer: Difference
  readonly uWer: Difference
  readonly recall: Difference
  readonly falseInsertions: Difference
}

type Metric = Exclude<keyof HotwordFigures, 'utterances' | 'listed'>

/** What is counted in an utterance; for recall, what is missing to it. */
const SAMPLES: { readonly [M in Metric]: (score: HotwordScore) => Sample } = {
  wer: ({ biased, unbiased }) => ({
    errors: biased.errors + unbiased.errors,
    length: biased.length + unbiased.length,
  }),
  bWer: ({ biased }) => biased,
  uWer: ({ unbiased }) => unbiased,
  recall: ({ missed }) => missed,
  falseInsertions: ({ inserted }) => inserted,
}

/** Corpus figures; intervals are those of WER, by utterances. */
export function summarizeHotwords(scores: readonly HotwordScore[]): HotwordFigures {
  const rate = (metric: Metric) => rateOf(scores.map(SAMPLES[metric]))
  return {
    utterances: scores.length,
    listed: sizesOf(scores.map(({ listed }) => listed)),
    ...{ wer: rate('wer'), bWer: rate('bWer'), uWer: rate('uWer') },
    ...{ recall: complement(rate('recall')), falseInsertions: rate('falseInsertions') },
  }
}

/**
 * Paired bootstrap of all figures.
 * @param pairs scores of the same utterances, without lists and with them
 */
export function compareHotwords(
  pairs: readonly (readonly [HotwordScore, HotwordScore])[],
): HotwordDifferences {
  const difference = (metric: Metric) => {
    const [without, with_] = [0, 1].map((side) =>
      pairs.map((pair) => SAMPLES[metric](pair[side] as HotwordScore)),
    )
    return pairedDifference(without ?? [], with_ ?? [])
  }
  return {
    utterances: pairs.length,
    ...{ wer: difference('wer'), bWer: difference('bWer'), uWer: difference('uWer') },
    ...{ recall: negative(difference('recall')), falseInsertions: difference('falseInsertions') },
  }
}

function sizesOf(sizes: readonly number[]): HotwordFigures['listed'] {
  const sorted = [...sizes].sort((a, b) => a - b)
  return { least: sorted[0] ?? 0, median: quantile(sorted, 0.5), most: sorted.at(-1) ?? 0 }
}

function rateOf(samples: readonly Sample[]): HotwordRate {
  const sum = (part: keyof Sample) => samples.reduce((total, sample) => total + sample[part], 0)
  const [count, of] = [sum('errors'), sum('length')]
  return { rate: of === 0 ? Number.NaN : count / of, count, of, ...bootstrapInterval(samples) }
}

/** The share of the others. */
function complement({ rate, count, of, low, high }: HotwordRate): HotwordRate {
  return { rate: 1 - rate, count: of - count, of, low: 1 - high, high: 1 - low }
}

function negative({ difference, low, high, higher, distinct }: Difference): Difference {
  return { difference: -difference, low: -high, high: -low, higher: 1 - higher, distinct }
}
