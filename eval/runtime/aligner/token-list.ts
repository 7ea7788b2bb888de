// SPDX-License-Identifier: Apache-2.0

import { comparable } from './match-units.ts'

/** What is compared of units, and the unit of each. */
export interface TokenList {
  readonly tokens: readonly string[]
  readonly units: readonly number[]
}

/** The tokens that are compared, from what is spoken of each unit: several for one of writing without spaces. */
export function tokensOf(spoken: readonly string[]): TokenList {
  const tokens: string[] = []
  const units: number[] = []
  for (const [unit, each] of spoken.entries()) {
    for (const token of comparable(each)) {
      tokens.push(token)
      units.push(unit)
    }
  }
  return { tokens, units }
}
