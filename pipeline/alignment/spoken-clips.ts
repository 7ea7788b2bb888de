// SPDX-License-Identifier: Apache-2.0

import { join } from 'node:path'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { number as figure, list, section, text } from '../../eval/runtime/schema.ts'
import type { TimedWord } from '../../eval/runtime/timed-word.ts'
import { readLines } from '../../eval/text-file.ts'
import { checkedText } from '../shared/checked.ts'

/* Bundled speech with exact times of words. */

/** A recording of which is known what is said, and when. */
export interface SpokenClip {
  readonly text: string
  readonly language: string
  /** some function words are one: their text has a space */
  readonly words: readonly TimedWord[]
  /** 16 kHz mono */
  readonly samples: Float32Array
}

const ROW = section({
  file: text,
  text,
  language: text,
  words: list(section({ text, start: figure, end: figure })),
})

/**
 * The clips of a folder of bundled speech.
 * @throws Failure for a line without the times of words
 */
export async function readSpokenClips(folder: string, signal: AbortSignal): Promise<SpokenClip[]> {
  const manifest = join(folder, 'manifest.jsonl')
  const clips: SpokenClip[] = []
  for await (const line of readLines(manifest)) {
    const { file, ...row } = checkedText(ROW, line.text, {
      file: `${manifest}, line ${line.number}`,
      hint: 'The file ships with the project: get it again.',
    })
    const { samples } = await loadClip(join(folder, file), signal)
    clips.push({ ...row, samples })
  }
  return clips
}
