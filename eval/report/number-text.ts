/* Numbers of reports as people read them. */

/** 4.55 % */
export function percent(rate: number): string {
  return !Number.isFinite(rate) ? '-' : `${(100 * rate).toFixed(2)} %`
}

/** +4.55, -4.55 */
export function signed(value: number): string {
  return `${value < 0 ? '-' : '+'}${Math.abs(value).toFixed(2)}`
}

/** Decimal: 1.40 GB, 850 MB */
export function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toPrecision(3)} MB`
}
