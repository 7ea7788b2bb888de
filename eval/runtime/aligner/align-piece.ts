// SPDX-License-Identifier: Apache-2.0

import type { AlignerThread } from '../aligner-thread.ts'
import type { Cut } from '../audio/pieces.ts'
import { SAMPLE_RATE } from '../audio/sample-rate.ts'
import { defined } from '../defined.ts'
import type { TimedWord } from '../timed-word.ts'
import { workOf } from '../timing.ts'
import type { ParsedTranscript } from '../transcript.ts'
import { alignText } from './aligner.ts'

/** What an aligner finds in a piece that was transcribed. */
export interface PieceWords {
  /** with their times in the recording */
  readonly words?: readonly TimedWord[]
  /** the language of the piece, which the aligner does not support */
  readonly unknownLanguage?: string
  /** seconds of the aligner's work */
  readonly alignerSeconds?: number
  /** sentences about what may be wrong */
  readonly doubts?: readonly string[]
}

/** Find when the words of a piece are said. @throws the signal's reason */
export async function alignPiece(
  aligner: AlignerThread,
  { text, language }: Pick<ParsedTranscript, 'text' | 'language'>,
  { start: first, samples }: Cut,
  signal: AbortSignal,
): Promise<PieceWords> {
  const { settings } = aligner
  if (text === '') return { words: [] }
  if (language !== undefined && !settings.languages.includes(language)) return { unknownLanguage: language }
  const { words, warnings, timing } = await alignText(
    text,
    { settings, ...defined({ language }) },
    (spoken) => aligner.alignUnits({ samples, spoken }, signal),
  )
  const offset = first / SAMPLE_RATE
  return {
    words: words.map((word) => ({ text: word.text, start: offset + word.start, end: offset + word.end })),
    alignerSeconds: workOf(timing),
    ...(warnings.length > 0 && { doubts: warnings }),
  }
}
