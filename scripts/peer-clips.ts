// SPDX-License-Identifier: Apache-2.0

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readSpeechFolder } from '../eval/dataset/folder-dataset.ts'
import { loadClip } from '../eval/runtime/audio/clip.ts'
import { SAMPLE_RATE } from '../eval/runtime/audio/sample-rate.ts'
import { encodeWav } from '../eval/runtime/audio/wav.ts'
import { BUNDLED_SPEECH } from '../pipeline/models.ts'

/* The recordings of `npm run bench -- peers`. */

/** A recording and how many tokens it is transcribed to, whatever they are: random weights hardly ever end. */
export interface PeerClip {
  readonly file: string
  readonly seconds: number
  readonly newTokens: number
}

/** With the model loaded. */
export const CLIPS = [
  { seconds: 11, newTokens: 30 },
  { seconds: 35, newTokens: 120 },
] as const
/** From a fresh process: the first text, and a whole file. */
export const COLD_CLIPS = [{ seconds: 3, newTokens: 8 }, CLIPS[0]] as const

/** The first seconds of the bundled speech as WAV files of 16 bits. */
export async function writeClips(
  folder: string,
  clips: readonly Omit<PeerClip, 'file'>[],
): Promise<PeerClip[]> {
  await mkdir(folder, { recursive: true })
  const longest = SAMPLE_RATE * Math.max(...clips.map(({ seconds }) => seconds))
  const speech = await bundledSpeech(longest)
  return Promise.all(
    clips.map(async (clip) => {
      const file = join(folder, `speech-${clip.seconds}.wav`)
      await writeFile(file, encodeWav(speech.subarray(0, clip.seconds * SAMPLE_RATE)))
      return { ...clip, file }
    }),
  )
}

async function bundledSpeech(length: number): Promise<Float32Array> {
  const speech = new Float32Array(length)
  let at = 0
  for (const { path = '' } of await readSpeechFolder(BUNDLED_SPEECH)) {
    if (at === length) break
    const { samples } = await loadClip(path)
    const part = samples.subarray(0, length - at)
    speech.set(part, at)
    at += part.length
  }
  return speech
}
