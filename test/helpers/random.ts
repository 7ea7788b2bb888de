// SPDX-License-Identifier: Apache-2.0

import { seededRandom as uniform } from '../../eval/random.ts'

/** Seeded whole numbers from 0 to below `below`. */
export function seededRandom(seed: number): (below: number) => number {
  const random = uniform(seed)
  return (below) => Math.floor(random() * below)
}
