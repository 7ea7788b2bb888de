// SPDX-License-Identifier: Apache-2.0

import { readSpeechFolder } from '../../eval/dataset/folder-dataset.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import { BUNDLED_SPEECH } from '../models.ts'
import { Failure } from '../shared/failure.ts'

/** Around the window sizes: the half-second minimum, one chunk of 1 s, one attention window of 8 s, four windows. */
const STRADDLING_SECONDS = [0.1, 0.99, 1.0, 1.01, 7.99, 8.01, 31]
/** Longer clips are compared up to their features and logits, not by tokens. */
const TOKENS_BELOW_SECONDS = 30

/** Speech that a release is compared with PyTorch on. */
export interface SpeechClip {
  readonly id: string
  readonly samples: Float32Array
  /** what is said; of a cut what is said at its beginning, or the beginning of what is said */
  readonly text: string
  readonly isUtterance: boolean
}

/** The bundled utterances, and cuts of them joined to the straddling lengths. @throws Failure when a recording is missing */
export async function speechClips(): Promise<SpeechClip[]> {
  const utterances = await readSpeechFolder(BUNDLED_SPEECH)
  const clips: SpeechClip[] = []
  for (const { id, path, problem, text } of utterances) {
    if (path === undefined) throw new Failure(problem ?? `The recording ${id} is missing.`)
    clips.push({ id, samples: (await loadClip(path)).samples, text, isUtterance: true })
  }
  const joined = Float32Array.from(clips.flatMap(({ samples }) => [...samples]))
  const cuts = STRADDLING_SECONDS.map((seconds): SpeechClip => {
    const samples = joined.slice(0, Math.round(seconds * SAMPLE_RATE))
    const { text = '' } = clips[0] ?? {}
    return { id: `cut-${seconds.toFixed(2)}-s`, samples, text, isUtterance: false }
  })
  return [...cuts, ...clips.filter(({ samples }) => samples.length < TOKENS_BELOW_SECONDS * SAMPLE_RATE)]
}
