import { seededRandom } from './random.ts'

/** Errors and length (words or characters) of one utterance. */
export interface Sample {
  readonly errors: number
  readonly length: number
}

/** A 95 % interval. */
export interface Interval {
  readonly low: number
  readonly high: number
}

export interface Difference extends Interval {
  /** rate of the second less that of the first, over all utterances */
  readonly difference: number
  /** share of resamples in which the second's rate is higher, equals counted half */
  readonly higher: number
  /** whether the interval excludes 0 */
  readonly distinct: boolean
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
  if (samples.length < 2) return NO_INTERVAL
  const [rates] = resampledRates([samples])
  return interval(rates ?? new Float64Array(0))
}

/**
 * Paired bootstrap of the difference of two systems' error rates on the same utterances (same source, section 4). Its ends
 * are NaN where {@link bootstrapInterval} has none.
 * @throws RangeError when the two are not of the same utterances
 */
export function pairedDifference(first: readonly Sample[], second: readonly Sample[]): Difference {
  if (first.length !== second.length) {
    throw new RangeError(
      `A paired bootstrap needs the same utterances: ${first.length} and ${second.length}.`,
    )
  }
  const [a = new Float64Array(0), b = new Float64Array(0)] = resampledRates([first, second])
  const differences = b.map((rate, i) => rate - (a[i] as number)).filter(Number.isFinite)
  const { low, high } = first.length < 2 ? NO_INTERVAL : interval(differences)
  const above = differences.reduce((sum, value) => sum + (value > 0 ? 1 : value === 0 ? 0.5 : 0), 0)
  return {
    difference: rateOf(second) - rateOf(first),
    low,
    high,
    higher: above / differences.length,
    distinct: low > 0 || high < 0,
  }
}

function rateOf(samples: readonly Sample[]): number {
  const sum = (part: keyof Sample) => samples.reduce((total, sample) => total + sample[part], 0)
  return sum('errors') / sum('length')
}

/** The rates of each system in every resample; all systems see the same draws. */
function resampledRates(systems: readonly (readonly Sample[])[]): Float64Array[] {
  const random = seededRandom(SEED)
  const count = systems[0]?.length ?? 0
  const rates = systems.map(() => new Float64Array(RESAMPLES))
  const columns = systems.map((samples) => ({
    errors: Float64Array.from(samples, ({ errors }) => errors),
    length: Float64Array.from(samples, ({ length }) => length),
  }))
  const draws = new Uint32Array(count)
  for (let r = 0; r < RESAMPLES; r++) {
    for (let i = 0; i < count; i++) draws[i] = Math.floor(random() * count)
    for (const [s, { errors, length }] of columns.entries()) {
      let [e, n] = [0, 0]
      for (let i = 0; i < count; i++) {
        e += errors[draws[i] as number] as number
        n += length[draws[i] as number] as number
      }
      ;(rates[s] as Float64Array)[r] = e / n
    }
  }
  return rates
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
