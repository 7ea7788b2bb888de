// SPDX-License-Identifier: Apache-2.0

/* Numbers of reports as people read them. */

/** 4.55 % */
export function percent(rate: number): string {
  return !Number.isFinite(rate) ? '-' : `${(100 * rate).toFixed(2)} %`
}

/** +4.55, -4.55; what rounds to nothing is +0.00 */
export function signed(value: number, digits = 2): string {
  const size = Math.abs(value).toFixed(digits)
  return `${value < 0 && Number(size) !== 0 ? '-' : '+'}${size}`
}

/** 46 ms */
export function milliseconds(seconds: number): string {
  return `${(1000 * seconds).toFixed(0)} ms`
}

/** +46 ms, -46 ms */
export function signedMilliseconds(seconds: number): string {
  return `${signed(1000 * seconds, 0)} ms`
}

/** Decimal: 1.40 GB, 850 MB */
export function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toPrecision(3)} MB`
}
