import { describe, expect, it } from 'vitest'
import { narrowToFloat16 } from '../../graph-tools/float16.ts'

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

function narrow(value: number): number {
  float[0] = value
  const out = new Uint16Array(1)
  expect(narrowToFloat16(bits, out)).toBe(-1)
  return out[0] ?? -1
}

/** The value of a float16 by its definition. */
function widen(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 31
  const mantissa = half & 1023
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

describe('narrowToFloat16', () => {
  it('keeps every finite float16', () => {
    for (let half = 0; half < 0x7c00; half++) {
      expect(narrow(widen(half))).toBe(half)
      expect(narrow(widen(half | 0x8000))).toBe(half | 0x8000)
    }
  })

  it('rounds the midpoint of every two neighbours to the even one, and what is off the midpoint to the nearer', () => {
    for (let half = 0; half < 0x7bff; half++) {
      const middle = (widen(half) + widen(half + 1)) / 2 // exact in float32
      const even = half % 2 === 0 ? half : half + 1
      expect(narrow(middle)).toBe(even)
      expect(narrow(middle * (1 + 2 ** -23))).toBe(half + 1)
      expect(narrow(middle * (1 - 2 ** -23))).toBe(half)
    }
  })

  it('takes what is below half of the smallest subnormal to 0', () => {
    expect(narrow(2 ** -25)).toBe(0)
    expect(narrow(2 ** -25 * (1 + 2 ** -23))).toBe(1)
    expect(narrow(-1e-40)).toBe(0x8000)
  })

  it.each([65520, -65520, 1e9, Number.POSITIVE_INFINITY, Number.NaN])('names the place of %d', (value) => {
    const values = new Uint32Array(Float32Array.of(1, value, 2).buffer)
    expect(narrowToFloat16(values, new Uint16Array(3))).toBe(1)
  })

  it('still takes the largest value that rounds down to 65504', () => {
    expect(narrow(65519.99)).toBe(0x7bff)
  })
})
