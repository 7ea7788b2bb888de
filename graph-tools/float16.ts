// SPDX-License-Identifier: Apache-2.0

/**
 * Narrow float32 values to float16 bit patterns, round to nearest even, subnormals kept (IEEE 754-2019 section 4.3.1).
 * @param bits float32 values as their bit patterns
 * @param out receives one float16 bit pattern for each
 * @returns the index of the first value that float16 cannot hold (NaN, infinity or overflow), or -1
 */
export function narrowToFloat16(bits: Uint32Array, out: Uint16Array): number {
  const length = bits.length
  for (let i = 0; i < length; i++) {
    const value = bits[i] as number
    const sign = (value >>> 16) & 0x8000
    const magnitude = value & 0x7fffffff
    if (magnitude >= SMALLEST_NORMAL && magnitude < OVERFLOW) {
      // Rebias the exponent by 112, drop 13 mantissa bits. A carry into the exponent is right.
      out[i] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
    } else if (magnitude >= OVERFLOW) return i
    else out[i] = sign | subnormal(magnitude)
  }
  return -1
}

/** 2^-14 and 65520, which rounds to infinity, as float32 bit patterns. */
const SMALLEST_NORMAL = 0x38800000
const OVERFLOW = 0x477ff000

/** Below 2^-14: the mantissa with its hidden bit, shifted to units of 2^-24. */
function subnormal(magnitude: number): number {
  const shift = 126 - (magnitude >>> 23)
  if (shift > 25) return 0 // below half of the smallest subnormal
  const mantissa = (magnitude & 0x7fffff) | 0x800000
  const kept = mantissa >>> shift
  const rest = mantissa & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept
}
