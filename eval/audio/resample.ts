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
  const divisor = greatestCommonDivisor(from, to)
  const up = to / divisor
  const down = from / divisor
  const cutoff = ROLLOFF * Math.min(1, up / down)
  const reach = Math.ceil(ZEROS / cutoff)
  const kernels = Array.from({ length: up }, (_, phase) => kernel(phase / up, reach, cutoff))
  const out = new Float32Array(Math.round((samples.length * to) / from))
  for (let i = 0; i < out.length; i++) {
    const position = i * down
    const weights = kernels[position % up] ?? new Float64Array(0)
    out[i] = convolve(samples, Math.floor(position / up) - reach + 1, weights)
  }
  return out
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

function convolve(samples: Float32Array, start: number, weights: Float64Array): number {
  let sum = 0
  const first = Math.max(0, -start)
  const last = Math.min(weights.length, samples.length - start)
  for (let i = first; i < last; i++) sum += (samples[start + i] as number) * (weights[i] as number)
  return sum
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
