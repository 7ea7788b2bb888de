// SPDX-License-Identifier: Apache-2.0

import type { ClipPart, ClipsQuestion, HeardClip } from './heard-clip.ts'
import { SILENCE } from './probe-provider.ts'
import { runProvider } from './provider-process.ts'

/** What one provider made of all clips. */
export interface HeardClips {
  /** of each variant, in the order of the clips; fewer with a problem */
  readonly clips: ReadonlyMap<string, readonly HeardClip[]>
  /** of each variant that did not transcribe all clips */
  readonly problems: ReadonlyMap<string, string>
  /** bytes at the most */
  readonly host?: number
  readonly device?: number
}

/**
 * Let a provider transcribe clips in a separate process.
 * @param onClip called after each
 * @throws the signal's reason when it is aborted
 */
export async function hearClips(
  question: ClipsQuestion,
  signal: AbortSignal,
  onClip: () => void,
): Promise<HeardClips> {
  const module = '../../pipeline/providers/clips-child.ts'
  const { parts, problem } = await runProvider<ClipPart>(module, question, {
    ...{ silence: SILENCE, signal },
    onPart: (part) => 'heard' in part && onClip(),
  })
  const clips = new Map(question.variants.map((variant): [string, HeardClip[]] => [variant, []]))
  const problems = new Map<string, string>()
  let memory: Pick<HeardClips, 'host' | 'device'> = {}
  for (const part of parts) {
    if ('heard' in part) clips.get(part.variant)?.push(part.heard)
    else if ('problem' in part) problems.set(part.variant, part.problem)
    else memory = part
  }
  if (problem !== undefined)
    for (const [variant, heard] of clips)
      if (heard.length < question.clips.length && !problems.has(variant)) problems.set(variant, problem)
  return { clips, problems, ...memory }
}
