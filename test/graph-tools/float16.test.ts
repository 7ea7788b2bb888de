import { describe, expect, it } from 'vitest'
import { narrowToFloat16 } from '../../graph-tools/float16.ts'

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

function narrow(value: number): number | undefined {
  float[0] = value
  const out = new Uint16Array(1)
  expect(narrowToFloat16(bits, out)).toBe(-1)
  return out[0]
}

/** The value of a float16 by its definition. */
function widen(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 31
  const mantissa = half & 1023
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

/** Pairs [value, wanted bits] that come out otherwise. */
function wrong(pairs: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const out = new Uint16Array(pairs.length)
  const values = Float32Array.from(pairs, ([value]) => value)
  expect(narrowToFloat16(new Uint32Array(values.buffer), out)).toBe(-1)
  return pairs.filter(([, wanted], i) => out[i] !== wanted)
}

describe('narrowToFloat16', () => {
  it('keeps every finite float16', () => {
    const halves = Array.from({ length: 0x7c00 }, (_, half) => half)
    expect(
      wrong(halves.flatMap((half) => [half, half | 0x8000].map((bits) => [widen(bits), bits] as const))),
    ).toEqual([])
  })

  it('rounds the midpoint of every two neighbours to the even one, and what is off the midpoint to the nearer', () => {
    const halves = Array.from({ length: 0x7bff }, (_, half) => half)
    const pairs = halves.flatMap((half): [number, number][] => {
      const middle = (widen(half) + widen(half + 1)) / 2 // exact in float32
      return [
        [middle, half % 2 === 0 ? half : half + 1],
        [middle * (1 + 2 ** -23), half + 1],
        [middle * (1 - 2 ** -23), half],
      ]
    })
    expect(wrong(pairs)).toEqual([])
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
