// SPDX-License-Identifier: Apache-2.0

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seededRandom } from '../../eval/random.ts'
import { loadClip } from '../../eval/runtime/audio/clip.ts'
import { SAMPLE_RATE } from '../../eval/runtime/audio/sample-rate.ts'
import type { TimedWord } from '../../eval/runtime/timed-word.ts'
import { BUNDLED_SPEECH } from '../../pipeline/models.ts'

/** Bundled clips one after the other, with pauses between them, and when their words are said. */
export interface JoinedSpeech {
  /** 16 kHz mono */
  readonly samples: Float32Array
  readonly text: string
  /** NaN where two words were said as one, of the edge between them */
  readonly words: readonly TimedWord[]
  /** what is said in each clip */
  readonly sentences: readonly string[]
}

interface Row {
  readonly file: string
  readonly language: string
  readonly text: string
  readonly words: readonly TimedWord[]
}

/** Clips of a language until they are so long. @param seconds at least, where there are so many */
export async function joinedSpeech(language: string, seconds: number): Promise<JoinedSpeech> {
  const random = seededRandom(7)
  const lines = (await readFile(join(BUNDLED_SPEECH, 'manifest.jsonl'), 'utf8')).trim().split('\n')
  const rows = lines.map((line): Row => JSON.parse(line)).filter((row) => row.language === language)
  const parts: Float32Array[] = []
  const words: TimedWord[] = []
  const sentences: string[] = []
  let length = 0
  for (const row of rows) {
    if (length >= seconds * SAMPLE_RATE) break
    const { samples } = await loadClip(join(BUNDLED_SPEECH, row.file))
    const pause = Float32Array.from({ length: Math.round((0.3 + 0.3 * random()) * SAMPLE_RATE) }, () => {
      return 1e-4 * (random() - 0.5)
    })
    const at = length / SAMPLE_RATE
    words.push(...row.words.flatMap((word) => apart(word, at)))
    sentences.push(row.text)
    parts.push(samples, pause)
    length += samples.length + pause.length
  }
  const joined = new Float32Array(length)
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return { samples: joined, text: sentences.join(' '), words, sentences }
}

function apart({ text, start, end }: TimedWord, at: number): TimedWord[] {
  const words = text.split(' ')
  return words.map((word, i) => ({
    text: word,
    start: i === 0 ? at + start : Number.NaN,
    end: i === words.length - 1 ? at + end : Number.NaN,
  }))
}
