// SPDX-License-Identifier: Apache-2.0

import { seededRandom } from './random.ts'

/** Errors and length (words or characters) of one utterance. */
export interface Sample {
  readonly errors: number
  readonly length: number
}

/** A sum over one utterance with the number of values in it: its share of a mean over all. */
export interface Values {
  readonly sum: number
  readonly count: number
}

/** A 95 % interval. */
export interface Interval {
  readonly low: number
  readonly high: number
}

/** How far the rates of two systems are apart, with the interval of that difference. */
export interface Difference extends Interval {
  /** rate of the second less that of the first, over all utterances */
  readonly difference: number
  /** share of resamples in which the second's rate is higher, equals counted half */
  readonly higher: number
  /** whether the interval excludes 0 */
  readonly distinct: boolean
}

/** How much longer one system takes than another, with the interval of that ratio. */
export interface Ratio extends Interval {
  /** mean of the second divided by that of the first */
  readonly ratio: number
}

const RESAMPLES = 10_000
const SEED = 20_260
const TAIL = 0.025
const NO_INTERVAL: Interval = { low: Number.NaN, high: Number.NaN }

/**
 * Percentile bootstrap interval of a corpus error rate: utterances are drawn with replacement, errors and words summed.
 * Bisani and Ney, "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004.
 * Without any error every resample has none; the upper end is then 3 / words, by the rule of three (Hanley and
 * Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 1983).
 * @returns NaN for both ends when there are no words, or fewer than two utterances: all resamples of one are equal
 */
export function bootstrapInterval(samples: readonly Sample[]): Interval {
  const length = samples.reduce((sum, sample) => sum + sample.length, 0)
  if (length > 0 && samples.every(({ errors }) => errors === 0))
    return { low: 0, high: Math.min(1, 3 / length) }
  return meanInterval(samples.map(valuesOf))
}

/**
 * Percentile bootstrap interval of a mean over the values of all utterances, which are drawn whole: values of one
 * utterance are not independent.
 * @returns NaN for both ends when there are fewer than two utterances
 */
export function meanInterval(samples: readonly Values[]): Interval {
  if (samples.length < 2) return NO_INTERVAL
  const [means] = resampledMeans([samples])
  return interval(means ?? new Float64Array(0))
}

/**
 * Paired bootstrap of the difference of two systems' error rates on the same utterances (same source, section 4). Its ends
 * are NaN where {@link bootstrapInterval} has none.
 * @throws RangeError when the two are not of the same utterances
 */
export function pairedDifference(first: readonly Sample[], second: readonly Sample[]): Difference {
  const [a, b] = pairedMeans(first.map(valuesOf), second.map(valuesOf))
  const differences = b.map((rate, i) => rate - (a[i] as number)).filter(Number.isFinite)
  const { low, high } = first.length < 2 ? NO_INTERVAL : interval(differences)
  const above = differences.reduce((sum, value) => sum + (value > 0 ? 1 : value === 0 ? 0.5 : 0), 0)
  return {
    difference: meanOf(second.map(valuesOf)) - meanOf(first.map(valuesOf)),
    low,
    high,
    higher: above / differences.length,
    distinct: low > 0 || high < 0,
  }
}

/**
 * Paired bootstrap of the ratio of two systems' means on the same utterances. Its ends are NaN where {@link meanInterval}
 * has none; a resample in which the first's mean is 0 is left out.
 * @throws RangeError when the two are not of the same utterances
 */
export function pairedRatio(first: readonly Values[], second: readonly Values[]): Ratio {
  const [a, b] = pairedMeans(first, second)
  const ends = first.length < 2 ? NO_INTERVAL : interval(b.map((mean, i) => mean / (a[i] as number)))
  return { ratio: meanOf(second) / meanOf(first), ...ends }
}

function valuesOf({ errors, length }: Sample): Values {
  return { sum: errors, count: length }
}

function meanOf(samples: readonly Values[]): number {
  const total = (part: keyof Values) => samples.reduce((sum, sample) => sum + sample[part], 0)
  return total('sum') / total('count')
}

function pairedMeans(
  first: readonly Values[],
  second: readonly Values[],
): readonly [Float64Array, Float64Array] {
  if (first.length !== second.length) {
    throw new RangeError(
      `A paired bootstrap needs the same utterances: ${first.length} and ${second.length}.`,
    )
  }
  const [a = new Float64Array(0), b = new Float64Array(0)] = resampledMeans([first, second])
  return [a, b]
}

/** The mean of each system in every resample; all systems see the same draws. */
function resampledMeans(systems: readonly (readonly Values[])[]): Float64Array[] {
  const random = seededRandom(SEED)
  const size = systems[0]?.length ?? 0
  const means = systems.map(() => new Float64Array(RESAMPLES))
  const columns = systems.map((samples) => ({
    sums: Float64Array.from(samples, ({ sum }) => sum),
    counts: Float64Array.from(samples, ({ count }) => count),
  }))
  const draws = new Uint32Array(size)
  for (let r = 0; r < RESAMPLES; r++) {
    for (let i = 0; i < size; i++) draws[i] = Math.floor(random() * size)
    for (const [s, { sums, counts }] of columns.entries()) {
      let [sum, count] = [0, 0]
      for (let i = 0; i < size; i++) {
        sum += sums[draws[i] as number] as number
        count += counts[draws[i] as number] as number
      }
      ;(means[s] as Float64Array)[r] = sum / count
    }
  }
  return means
}

function interval(values: Float64Array): Interval {
  const sorted = Float64Array.from(values.filter(Number.isFinite)).sort() // a resample may have no words
  return { low: quantile(sorted, TAIL), high: quantile(sorted, 1 - TAIL) }
}

/** The quantile of ascending values, between neighbours by linear interpolation; NaN of none. */
export function quantile(sorted: Float64Array | readonly number[], q: number): number {
  if (sorted.length === 0) return Number.NaN
  const position = q * (sorted.length - 1)
  const below = sorted[Math.floor(position)] as number
  const above = sorted[Math.ceil(position)] as number
  return below + (above - below) * (position - Math.floor(position))
}
