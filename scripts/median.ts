/** The middle of values in order, the upper one of two; NaN where one is missing. */
export function median(values: readonly (number | undefined)[]): number {
  const sorted = values.map((value) => value ?? Number.NaN).sort((a, b) => a - b)
  return sorted[sorted.length >> 1] ?? Number.NaN
}
