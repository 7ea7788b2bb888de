/** A complex transform of fixed length, forward, in place: X[k] = sum x[n] exp(-2 pi i k n / length). */
export interface Fft {
  readonly length: number
  transform(real: Float64Array, imaginary: Float64Array): void
}

interface Pair {
  readonly real: Float64Array
  readonly imaginary: Float64Array
}

/**
 * Plan a mixed-radix transform (Stockham's self-sorting form, so no bit reversal).
 * Reference: C. Van Loan, "Computational Frameworks for the Fast Fourier Transform", section 1.7.
 * @param radices factors whose product is the length, for example [4, 4, 5, 5] for 400
 */
export function planFft(radices: readonly number[]): Fft {
  const length = radices.reduce((product, radix) => product * radix, 1)
  const cos = Float64Array.from({ length }, (_, i) => Math.cos((2 * Math.PI * i) / length))
  const sin = Float64Array.from({ length }, (_, i) => -Math.sin((2 * Math.PI * i) / length))
  const spareReal = new Float64Array(length)
  const spareImaginary = new Float64Array(length)

  function transform(real: Float64Array, imaginary: Float64Array): void {
    let from: Pair = { real, imaginary }
    let to: Pair = { real: spareReal, imaginary: spareImaginary }
    let done = 1 // length of the transforms that are finished
    for (const radix of radices) {
      pass(from, to, radix, done)
      done *= radix
      ;[from, to] = [to, from]
    }
    if (from.real !== real) {
      real.set(from.real)
      imaginary.set(from.imaginary)
    }
  }

  /** Join `radix` transforms of length `done` into one, for every residue. */
  function pass(from: Pair, to: Pair, radix: number, done: number): void {
    const rest = length / (done * radix)
    const twiddleStep = length / (done * radix)
    const butterflyStep = length / radix
    for (let r = 0; r < rest; r++) {
      for (let k = 0; k < done; k++) {
        for (let q = 0; q < radix; q++) {
          let sumReal = 0
          let sumImaginary = 0
          for (let p = 0; p < radix; p++) {
            const at = (r + rest * p) * done + k
            const turn = (p * k * twiddleStep + p * q * butterflyStep) % length
            const c = cos[turn] as number
            const s = sin[turn] as number
            const x = from.real[at] as number
            const y = from.imaginary[at] as number
            sumReal += x * c - y * s
            sumImaginary += x * s + y * c
          }
          const out = r * done * radix + q * done + k
          to.real[out] = sumReal
          to.imaginary[out] = sumImaginary
        }
      }
    }
  }

  return { length, transform }
}
