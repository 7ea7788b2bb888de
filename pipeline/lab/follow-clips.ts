import { followLogits } from '../../eval/parity.ts'
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
  const followed: ClipPositions[] = []
  let problem: string | undefined
  for await (const { samples, reference, isUtterance } of clips) {
    if (problem !== undefined || !isWanted({ isUtterance })) continue
    const positions: Position[] = []
    problem = await followLogits(recognizer, samples, reference, (...logits) =>
      positions.push(comparePosition(...logits)),
    )
    if (problem !== undefined) problem = `${reference.id}: ${problem}`
    const isCut = positions.length < reference.tokens.length
    followed.push({ clip: reference.id, isUtterance, positions, isCut })
  }
  return problem === undefined ? { way, clips: followed } : { way, clips: [], problem }
}
