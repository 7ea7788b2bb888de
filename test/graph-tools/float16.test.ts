// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from 'vitest'
import { narrowToFloat16 } from '../../graph-tools/float16.ts'
import { makeNarrower } from '../../graph-tools/float16-simd.ts'
import { seededRandom } from '../helpers/random.ts'

/** The value of a float16 by its definition. */
function widen(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 31
  const mantissa = half & 1023
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15)
}

describe.each([
  ['one at a time', narrowToFloat16],
  ['eight at a time', makeNarrower()],
])('narrowing to float16, %s', (_how, narrowAll) => {
  function narrow(value: number): number | undefined {
    const out = new Uint16Array(1)
    expect(narrowAll(new Uint32Array(Float32Array.of(value).buffer), out)).toBe(-1)
    return out[0]
  }

  /** Pairs [value, wanted bits] that come out otherwise. */
  function wrong(pairs: readonly (readonly [number, number])[]): (readonly [number, number])[] {
    const out = new Uint16Array(pairs.length)
    const values = Float32Array.from(pairs, ([value]) => value)
    expect(narrowAll(new Uint32Array(values.buffer), out)).toBe(-1)
    return pairs.filter(([, wanted], i) => out[i] !== wanted)
  }

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
    expect(narrowAll(values, new Uint16Array(3))).toBe(1)
  })

  it('still takes the largest value that rounds down to 65504', () => {
    expect(narrow(65519.99)).toBe(0x7bff)
  })
})

describe('both ways of narrowing', () => {
  it('give the same bits for any float32, and the same place of the first that is too large', () => {
    const random = seededRandom(3)
    const bits = Uint32Array.from({ length: (1 << 20) + 5 }, () => random(2 ** 32) & 0xc7ffefff)
    const [one, eight] = [new Uint16Array(bits.length), new Uint16Array(bits.length)]
    const narrow = makeNarrower()
    for (let round = 0; round < 3; round++) {
      const place = narrowToFloat16(bits, one)
      expect(narrow(bits, eight)).toBe(place)
      const end = place < 0 ? bits.length : place
      expect(Buffer.compare(Buffer.from(one.buffer, 0, 2 * end), Buffer.from(eight.buffer, 0, 2 * end))).toBe(
        0,
      )
      for (let i = 0; i < bits.length; i++) if (((bits[i] ?? 0) & 0x7fffffff) >= 0x477ff000) bits[i] = i
      if (round === 1) bits[bits.length - 1] = 0x7f800000
    }
  })
})
