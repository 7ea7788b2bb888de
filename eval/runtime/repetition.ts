// SPDX-License-Identifier: Apache-2.0

/** A run of the same tokens over and over, at the end of an output. */
export interface Repetition {
  /** tokens of the unit that repeats */
  readonly period: number
  /** how often it stands there */
  readonly repeats: number
}

/** The longest unit that is looked for. */
const MAX_PERIOD = 64
/** People say "no no no no no": a loop has at least this many tokens, and this many repeats. */
const MIN_TOKENS = 40
const MIN_REPEATS = 5

/**
 * Watches greedy decoding for loops, at constant cost a token. Greedy output that has once repeated a unit this often
 * does not leave it (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section 4).
 */
export class RepetitionGuard {
  readonly #tokens: number[] = []
  /** for each period, how many tokens in a row equal the one a period before */
  readonly #matches = new Uint32Array(MAX_PERIOD + 1)

  /** @returns the repetition that `token` completes, the shortest unit first; undefined while there is none */
  add(token: number): Repetition | undefined {
    const at = this.#tokens.push(token) - 1
    let found: Repetition | undefined
    for (let period = 1; period <= MAX_PERIOD && period <= at; period++) {
      const matches = token === this.#tokens[at - period] ? (this.#matches[period] as number) + 1 : 0
      this.#matches[period] = matches
      if (found !== undefined) continue
      const repeats = Math.floor(matches / period) + 1
      if (matches + period >= MIN_TOKENS && repeats >= MIN_REPEATS) found = { period, repeats }
    }
    return found
  }
}

/** The tokens with the repeated unit once. */
export function withoutRepeats(tokens: readonly number[], { period, repeats }: Repetition): number[] {
  return tokens.slice(0, tokens.length - period * (repeats - 1))
}
