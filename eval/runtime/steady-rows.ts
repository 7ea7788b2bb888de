// SPDX-License-Identifier: Apache-2.0

/** A part of a tag about weights of 8 bits, of all or of those that a selector names. */
const EIGHT_BITS = /^(?:[^:]+: )?int8 /
/** What is done to weights before they are quantized. */
const SMOOTHING = /^smoothed /

/**
 * How many rows a step that must not depend on its batch takes at least. Kernels of 4-bit products take rows by twos, and
 * round one that is left over differently; those of 8 bits give each row the same bits, alone or not.
 * @param tag of the decoder's graph, as config.json describes its weights; undefined where it says nothing
 */
export function steadyRows(tag: string | undefined): 1 | 2 {
  const parts = (tag ?? '').split('; ').filter((part) => !SMOOTHING.test(part))
  return parts.length > 0 && parts.every((part) => EIGHT_BITS.test(part)) ? 1 : 2
}
