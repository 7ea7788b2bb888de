// SPDX-License-Identifier: Apache-2.0

import { CLIPS, COLD_CLIPS, type PeerClip, writeClips } from './peer-clips.ts'
import type { Rounds } from './peer-figures.ts'
import { type Cold, type LoadedResult, reasonOf } from './peer-process.ts'
import type { Missing, Side } from './peer-sides.ts'

interface Measured {
  readonly rounds: readonly Rounds[]
  readonly missing: readonly Missing[]
}

/**
 * All sides alternate, round by round; one that fails is left out from then on. Before that each starts once, so
 * that its files are in memory, and what it keeps for later starts is there.
 * @param folder where the clips are written
 */
export async function measureSides(
  sides: readonly Side[],
  rounds: number,
  folder: string,
  note: (text: string) => void,
): Promise<Measured> {
  const clips = await writeClips(folder, CLIPS)
  const short = await writeClips(folder, COLD_CLIPS)
  const found = new Map(sides.map((side) => [side, { loaded: [] as LoadedResult[], cold: [] as Cold[][] }]))
  const missing: Missing[] = []
  const attempt = async (side: Side, work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      found.delete(side)
      missing.push({ name: side.name, reason: reasonOf(error) })
    }
  }
  for (const side of sides) {
    note(`first start: ${side.name}`)
    await attempt(side, () => coldOf(side, short.slice(0, 1)))
  }
  for (let round = 1; round <= rounds; round++) {
    for (const [side, { loaded, cold }] of found) {
      note(`round ${round} of ${rounds}: ${side.name}`)
      await attempt(side, async () => {
        loaded.push(await side.loaded(clips))
        cold.push(await coldOf(side, short))
      })
    }
  }
  return { rounds: [...found].map(([side, results]) => ({ ...factsOf(side), ...results })), missing }
}

async function coldOf(side: Side, clips: readonly PeerClip[]): Promise<Cold[]> {
  const results: Cold[] = []
  for (const clip of clips) results.push(await side.cold(clip))
  return results
}

function factsOf({ name, isOurs, bytes }: Side) {
  return { name, isOurs, bytes }
}
