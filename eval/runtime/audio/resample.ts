// SPDX-License-Identifier: Apache-2.0

const ZEROS = 32 // zero crossings on each side of the kernel
const BETA = 12 // Kaiser window: stop band below -118 dB
const ROLLOFF = 0.95

/**
 * Band-limited resampling by a Kaiser-windowed sinc, one filter for each phase of the rational ratio.
 * Reference: J. O. Smith, "Digital Audio Resampling" (https://ccrma.stanford.edu/~jos/resample/).
 * @param samples one channel at `from` Hz
 * @returns round(length * to / from) samples at `to` Hz
 */
export function resample(samples: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return samples
  const resampler = new Resampler(from, to)
  const first = resampler.push(samples)
  const last = resampler.end()
  const out = new Float32Array(first.length + last.length)
  out.set(first)
  out.set(last, first.length)
  return out
}

/** {@link resample} for samples that come in parts: the parts of its output together are the same numbers. */
export class Resampler {
  readonly #from: number
  readonly #to: number
  readonly #up: number
  readonly #down: number
  readonly #reach: number
  readonly #kernels: readonly Float64Array[]
  /** inputs that outputs to come still need; before the first one there are zeros */
  #held: Float64Array
  /** number of the first of them, counted from the first input */
  #heldFrom: number
  #inputs = 0
  #outputs = 0

  constructor(from: number, to: number) {
    const divisor = greatestCommonDivisor(from, to)
    this.#from = from
    this.#to = to
    this.#up = to / divisor
    this.#down = from / divisor
    const cutoff = ROLLOFF * Math.min(1, this.#up / this.#down)
    const reach = Math.ceil(ZEROS / cutoff)
    this.#reach = reach
    this.#kernels = Array.from({ length: this.#up }, (_, phase) => kernel(phase / this.#up, reach, cutoff))
    this.#held = new Float64Array(2 * reach)
    this.#heldFrom = -2 * reach
  }

  /** @returns the outputs that no later input can change */
  push(samples: Float32Array): Float32Array {
    this.#inputs += samples.length
    // Output i reads the inputs up to floor(i * down / up) + reach.
    const readable = Math.floor(((this.#inputs - this.#reach) * this.#up - 1) / this.#down) + 1
    return this.#advance(samples, Math.max(this.#outputs, readable))
  }

  /** @returns the outputs that are left; after the last input there are zeros */
  end(): Float32Array {
    return this.#advance(
      new Float32Array(2 * this.#reach),
      Math.round((this.#inputs * this.#to) / this.#from),
    )
  }

  #advance(samples: Float32Array, outputs: number): Float32Array {
    const inputs = new Float64Array(this.#held.length + samples.length)
    inputs.set(this.#held)
    inputs.set(samples, this.#held.length)
    const out = new Float32Array(Math.max(0, outputs - this.#outputs))
    const start = (i: number) =>
      Math.floor(((this.#outputs + i) * this.#down) / this.#up) - this.#reach + 1 - this.#heldFrom
    const weights = (i: number) =>
      this.#kernels[((this.#outputs + i) * this.#down) % this.#up] as Float64Array
    let i = 0
    for (; i + 3 < out.length; i += 4) convolveFour(inputs, start, weights, i, out)
    for (; i < out.length; i++) out[i] = convolve(inputs, start(i), weights(i))
    this.#outputs += out.length
    const next = Math.floor((this.#outputs * this.#down) / this.#up) - this.#reach + 1
    const dropped = Math.min(inputs.length, Math.max(0, next - this.#heldFrom))
    this.#held = inputs.slice(dropped)
    this.#heldFrom += dropped
    return out
  }
}

/** Weights of the inputs at -reach + 1 .. reach around an output that lies `fraction` after input 0. */
function kernel(fraction: number, reach: number, cutoff: number): Float64Array {
  return Float64Array.from({ length: 2 * reach }, (_, i) => {
    const distance = i - reach + 1 - fraction
    const inside = 1 - (distance / reach) ** 2
    if (inside <= 0) return 0
    return cutoff * sinc(distance * cutoff) * (bessel(BETA * Math.sqrt(inside)) / bessel(BETA))
  })
}

function convolve(samples: Float64Array, start: number, weights: Float64Array): number {
  let sum = 0
  for (let k = 0; k < weights.length; k++) sum += (samples[start + k] as number) * (weights[k] as number)
  return sum
}

/** Four outputs at once, each summed in its order: a processor does not wait for one sum then. */
function convolveFour(
  samples: Float64Array,
  startOf: (i: number) => number,
  weightsOf: (i: number) => Float64Array,
  i: number,
  out: Float32Array,
): void {
  const [a, b, c, d] = [startOf(i), startOf(i + 1), startOf(i + 2), startOf(i + 3)]
  const [p, q, r, s] = [weightsOf(i), weightsOf(i + 1), weightsOf(i + 2), weightsOf(i + 3)]
  let [first, second, third, fourth] = [0, 0, 0, 0]
  for (let k = 0; k < p.length; k++) {
    first += (samples[a + k] as number) * (p[k] as number)
    second += (samples[b + k] as number) * (q[k] as number)
    third += (samples[c + k] as number) * (r[k] as number)
    fourth += (samples[d + k] as number) * (s[k] as number)
  }
  out[i] = first
  out[i + 1] = second
  out[i + 2] = third
  out[i + 3] = fourth
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x)
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function bessel(x: number): number {
  let sum = 1
  let term = 1
  for (let k = 1; term > 1e-16 * sum; k++) {
    term *= (x / (2 * k)) ** 2
    sum += term
  }
  return sum
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b)
}
