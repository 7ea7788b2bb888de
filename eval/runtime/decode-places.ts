// SPDX-License-Identifier: Apache-2.0

/** Takes one of a fixed number of places, when one is free; what it resolves to gives the place back. */
export type TakePlace = () => Promise<() => void>

/** As many places as `count`, given in the order in which they are asked for. */
export function makePlaces(count: number): TakePlace {
  const waiting: (() => void)[] = []
  let free = count
  const give = () => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }
  return async () => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => waiting.push(resolve))
    return give
  }
}
