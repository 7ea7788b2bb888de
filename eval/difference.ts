// SPDX-License-Identifier: Apache-2.0

/* Differences of two arrays of floats. */

/** How far apart two arrays of floats are. */
export interface Difference {
  /** largest absolute difference; NaN when they cannot be compared */
  readonly worst: number
  /** root of the mean square of the differences */
  readonly rms: number
  /** why they cannot be compared: a value that is not finite, on whichever side, or another length */
  readonly problem: string | undefined
}

/**
 * Compare element by element. A value that is not finite is never equal to anything, on neither side.
 * @param names of the two sides, for `problem`
 */
export function differenceOf(
  found: Float32Array,
  wanted: Float32Array,
  names: { readonly found: string; readonly wanted: string },
): Difference {
  const problem =
    prefixed(names.found, nonFinite(found)) ??
    prefixed(names.wanted, nonFinite(wanted)) ??
    (found.length === wanted.length
      ? undefined
      : `${names.found} has ${found.length} values, ${names.wanted} ${wanted.length}`)
  if (problem !== undefined) return { worst: Number.NaN, rms: Number.NaN, problem }
  let [worst, squares] = [0, 0]
  for (let i = 0; i < found.length; i++) {
    const difference = Math.abs((found[i] as number) - (wanted[i] as number))
    if (difference > worst) worst = difference
    squares += difference ** 2
  }
  return { worst, rms: found.length === 0 ? 0 : Math.sqrt(squares / found.length), problem }
}

/** The first value that is not finite, with its place; undefined when all are. */
export function nonFinite(values: Float32Array): string | undefined {
  const at = values.findIndex((value) => !Number.isFinite(value))
  return at < 0 ? undefined : `${values[at]} at value ${at + 1} of ${values.length}`
}

function prefixed(name: string, problem: string | undefined): string | undefined {
  return problem && `${name} has ${problem}`
}
