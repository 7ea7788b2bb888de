// SPDX-License-Identifier: Apache-2.0

import { followLogits, type Look } from '../../eval/parity.ts'
import type { Recognizer } from '../../eval/runtime/recognizer.ts'
import type { Way } from '../../eval/runtime/release.ts'
import type { ClipPositions, ParityClip, Position, WayPositions } from '../gates/gate.ts'
import { comparePosition } from '../gates/position.ts'

/**
 * Lead a variant along the reference's tokens of all clips that are wanted: one pass, of which gates and fidelity are made.
 * @param clips one in memory at a time @param isWanted which of them are followed; all when it is left out
 * @returns no clips, but the problem, when a logit is not finite, on whichever side
 */
export async function followClips(
  recognizer: Recognizer,
  way: Way,
  clips: AsyncIterable<ParityClip>,
  isWanted: (clip: Pick<ParityClip, 'isUtterance'>) => boolean = () => true,
): Promise<WayPositions> {
  const seen = positionLog()
  let problem: string | undefined
  for await (const clip of clips) {
    if (problem !== undefined || !isWanted(clip)) continue
    problem = await followLogits(recognizer, clip.samples, clip.reference, seen.lookAt(clip))
    if (problem !== undefined) problem = `${clip.reference.id}: ${problem}`
  }
  return problem === undefined ? { way, clips: seen.clips() } : { way, clips: [], problem }
}

/** Keeps what is seen along the tokens of clips. */
export interface PositionLog {
  lookAt(clip: ParityClip): Look
  clips(): ClipPositions[]
}

/** A log that holds no clip yet. */
export function positionLog(): PositionLog {
  const seen: (Pick<ClipPositions, 'clip' | 'isUtterance'> & { tokens: number; positions: Position[] })[] = []
  return {
    lookAt({ reference, isUtterance }) {
      const positions: Position[] = []
      seen.push({ clip: reference.id, isUtterance, positions, tokens: reference.tokens.length })
      return (...logits) => positions.push(comparePosition(...logits))
    },
    clips: () => seen.map(({ tokens, ...clip }) => ({ ...clip, isCut: clip.positions.length < tokens })),
  }
}
