// SPDX-License-Identifier: Apache-2.0

import { median } from './median.ts'
import { CLIPS, COLD_CLIPS } from './peer-clips.ts'
import type { Cold, LoadedResult } from './peer-process.ts'

/** What was measured of one side, a round after the other. */
export interface Rounds {
  readonly name: string
  readonly isOurs: boolean
  readonly bytes: number
  readonly loaded: readonly LoadedResult[]
  /** of COLD_CLIPS */
  readonly cold: readonly (readonly Cold[])[]
}

/** Medians; seconds and bytes. undefined: the side does not report it. */
export interface Figures {
  readonly name: string
  readonly isOurs: boolean
  readonly load: number
  readonly peak: number
  readonly bytes: number
  /** of CLIPS */
  readonly clips: readonly ClipFigures[]
  /** of COLD_CLIPS */
  readonly cold: readonly Counted[]
}

/** A time with the tokens that came. */
export interface Counted {
  readonly seconds: number
  readonly tokens: number
  readonly count: Count
}

/**
 * Whether as many tokens came as wanted. `calculated`: more came, and the steps of those are taken off; `other`: the time
 * is that of another number of tokens.
 */
export type Count = 'wanted' | 'calculated' | 'other'

/** Seconds of a clip: of all, to the first token, of encoder and prompt, and of a step. */
export interface ClipFigures extends Counted {
  readonly first: number | undefined
  readonly encoder: number | undefined
  readonly prompt: number | undefined
  readonly step: number | undefined
}

/** Medians over the rounds of one side. */
export function figuresOf({ loaded, cold, ...side }: Rounds): Figures {
  return {
    ...side,
    load: median(loaded.map(({ load }) => load)),
    peak: median(loaded.map(({ peak }) => peak)),
    clips: CLIPS.map(({ newTokens }, i) => {
      const runs = loaded.map(({ clips }) => clips[i]).filter((run) => run !== undefined)
      const part = (name: 'first' | 'encoder' | 'prompt' | 'step') => middle(runs.map((run) => run[name]))
      return {
        ...counted(runs, newTokens, part('step')),
        ...{ first: part('first'), encoder: part('encoder'), prompt: part('prompt'), step: part('step') },
      }
    }),
    cold: COLD_CLIPS.map(({ newTokens }, i) => {
      const runs = cold.map((round) => round[i]).filter((run) => run !== undefined)
      return counted(runs, newTokens, middle(runs.map(({ step }) => step)))
    }),
  }
}

/**
 * Medians of time and tokens over runs, and whether as many tokens came as wanted.
 * @param step of the side's own tokens, where it reports them
 */
export function counted(
  runs: readonly { readonly seconds: number; readonly tokens: number }[],
  wanted: number,
  step: number | undefined,
): Counted {
  const seconds = median(runs.map((run) => run.seconds))
  const tokens = median(runs.map((run) => run.tokens))
  if (runs.every((run) => run.tokens === wanted)) return { seconds, tokens, count: 'wanted' }
  if (step === undefined || tokens < wanted) return { seconds, tokens, count: 'other' }
  return { seconds: seconds - (tokens - wanted) * step, tokens, count: 'calculated' }
}

function middle(values: readonly (number | null)[]): number | undefined {
  const told = values.filter((value) => value !== null)
  return told.length < values.length || told.length === 0 ? undefined : median(told)
}
