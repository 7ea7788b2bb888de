// SPDX-License-Identifier: Apache-2.0

/** A complex transform of fixed length, forward, in place: X[k] = sum x[n] exp(-2 pi i k n / length). */
export interface Fft {
  readonly length: number
  transform(real: Float64Array, imaginary: Float64Array): void
}

interface Pair {
  readonly real: Float64Array
  readonly imaginary: Float64Array
}

/** One pass: `count` butterflies of `radix` inputs, with the twiddle factors of inputs 1 .. radix - 1. */
interface Pass {
  readonly radix: number
  /** length of the transforms that are finished before this pass */
  readonly done: number
  readonly cos: Float64Array
  readonly sin: Float64Array
}

const COS_1 = Math.cos((2 * Math.PI) / 5)
const COS_2 = Math.cos((4 * Math.PI) / 5)
const SIN_1 = Math.sin((2 * Math.PI) / 5)
const SIN_2 = Math.sin((4 * Math.PI) / 5)

/**
 * Plan a mixed-radix transform (Stockham's self-sorting form, so no bit reversal).
 * Reference: C. Van Loan, "Computational Frameworks for the Fast Fourier Transform", section 1.7.
 * @param radices factors, 4 or 5, whose product is the length: [5, 5, 4, 4] for 400
 */
export function planFft(radices: readonly (4 | 5)[]): Fft {
  const length = radices.reduce((product, radix) => product * radix, 1)
  const spare = { real: new Float64Array(length), imaginary: new Float64Array(length) }
  const passes: Pass[] = []
  let done = 1
  for (const radix of radices) {
    passes.push({ radix, done, ...twiddles(radix, done) })
    done *= radix
  }
  return {
    length,
    transform(real, imaginary) {
      let from: Pair = { real, imaginary }
      let to: Pair = spare
      for (const pass of passes) {
        if (pass.radix === 4) radix4(from, to, pass)
        else radix5(from, to, pass)
        ;[from, to] = [to, from]
      }
      if (from === spare) {
        real.set(spare.real)
        imaginary.set(spare.imaginary)
      }
    },
  }
}

/** exp(-2 pi i p k / (done * radix)) at [k * (radix - 1) + p - 1] */
function twiddles(radix: number, done: number): { cos: Float64Array; sin: Float64Array } {
  const angle = (i: number) => {
    const k = Math.floor(i / (radix - 1))
    const p = (i % (radix - 1)) + 1
    return (-2 * Math.PI * p * k) / (done * radix)
  }
  const size = { length: done * (radix - 1) }
  return {
    cos: Float64Array.from(size, (_, i) => Math.cos(angle(i))),
    sin: Float64Array.from(size, (_, i) => Math.sin(angle(i))),
  }
}

// In both butterflies input p of residue r and column k stands at (r + rest * p) * done + k, output q at
// (r * radix + q) * done + k. Typed arrays are read in bounds by construction, hence the casts.

function radix4(from: Pair, to: Pair, { done, cos, sin }: Pass): void {
  const { real: x, imaginary: y } = from
  const stride = x.length / 4
  for (let r = 0; r < stride / done; r++) {
    for (let k = 0; k < done; k++) {
      const at = r * done + k
      const t = k * 3
      const ar = x[at] as number
      const ai = y[at] as number
      const br = turnReal(x, y, at + stride, cos, sin, t)
      const bi = turnImaginary(x, y, at + stride, cos, sin, t)
      const cr = turnReal(x, y, at + 2 * stride, cos, sin, t + 1)
      const ci = turnImaginary(x, y, at + 2 * stride, cos, sin, t + 1)
      const dr = turnReal(x, y, at + 3 * stride, cos, sin, t + 2)
      const di = turnImaginary(x, y, at + 3 * stride, cos, sin, t + 2)
      const out = r * done * 4 + k
      to.real[out] = ar + cr + (br + dr)
      to.imaginary[out] = ai + ci + (bi + di)
      to.real[out + done] = ar - cr + (bi - di)
      to.imaginary[out + done] = ai - ci - (br - dr)
      to.real[out + 2 * done] = ar + cr - (br + dr)
      to.imaginary[out + 2 * done] = ai + ci - (bi + di)
      to.real[out + 3 * done] = ar - cr - (bi - di)
      to.imaginary[out + 3 * done] = ai - ci + (br - dr)
    }
  }
}

function radix5(from: Pair, to: Pair, { done, cos, sin }: Pass): void {
  const { real: x, imaginary: y } = from
  const stride = x.length / 5
  for (let r = 0; r < stride / done; r++) {
    for (let k = 0; k < done; k++) {
      const at = r * done + k
      const t = k * 4
      const ar = x[at] as number
      const ai = y[at] as number
      const br = turnReal(x, y, at + stride, cos, sin, t)
      const bi = turnImaginary(x, y, at + stride, cos, sin, t)
      const cr = turnReal(x, y, at + 2 * stride, cos, sin, t + 1)
      const ci = turnImaginary(x, y, at + 2 * stride, cos, sin, t + 1)
      const dr = turnReal(x, y, at + 3 * stride, cos, sin, t + 2)
      const di = turnImaginary(x, y, at + 3 * stride, cos, sin, t + 2)
      const er = turnReal(x, y, at + 4 * stride, cos, sin, t + 3)
      const ei = turnImaginary(x, y, at + 4 * stride, cos, sin, t + 3)
      // Inputs p and 5 - p share a cosine and have opposite sines.
      const evenReal1 = ar + COS_1 * (br + er) + COS_2 * (cr + dr)
      const evenImaginary1 = ai + COS_1 * (bi + ei) + COS_2 * (ci + di)
      const evenReal2 = ar + COS_2 * (br + er) + COS_1 * (cr + dr)
      const evenImaginary2 = ai + COS_2 * (bi + ei) + COS_1 * (ci + di)
      const oddReal1 = SIN_1 * (bi - ei) + SIN_2 * (ci - di)
      const oddImaginary1 = SIN_1 * (br - er) + SIN_2 * (cr - dr)
      const oddReal2 = SIN_2 * (bi - ei) - SIN_1 * (ci - di)
      const oddImaginary2 = SIN_2 * (br - er) - SIN_1 * (cr - dr)
      const out = r * done * 5 + k
      to.real[out] = ar + br + cr + dr + er
      to.imaginary[out] = ai + bi + ci + di + ei
      to.real[out + done] = evenReal1 + oddReal1
      to.imaginary[out + done] = evenImaginary1 - oddImaginary1
      to.real[out + 2 * done] = evenReal2 + oddReal2
      to.imaginary[out + 2 * done] = evenImaginary2 - oddImaginary2
      to.real[out + 3 * done] = evenReal2 - oddReal2
      to.imaginary[out + 3 * done] = evenImaginary2 + oddImaginary2
      to.real[out + 4 * done] = evenReal1 - oddReal1
      to.imaginary[out + 4 * done] = evenImaginary1 + oddImaginary1
    }
  }
}

/** Real part of (x + iy)[at] * (cos + i sin)[t]; the engine inlines these. */
function turnReal(
  x: Float64Array,
  y: Float64Array,
  at: number,
  cos: Float64Array,
  sin: Float64Array,
  t: number,
): number {
  return (x[at] as number) * (cos[t] as number) - (y[at] as number) * (sin[t] as number)
}

function turnImaginary(
  x: Float64Array,
  y: Float64Array,
  at: number,
  cos: Float64Array,
  sin: Float64Array,
  t: number,
): number {
  return (x[at] as number) * (sin[t] as number) + (y[at] as number) * (cos[t] as number)
}
