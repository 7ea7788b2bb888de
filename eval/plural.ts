// SPDX-License-Identifier: Apache-2.0

/** A count and its noun: `1 graph`, `2 graphs`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
