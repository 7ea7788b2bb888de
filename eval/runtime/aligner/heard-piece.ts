// SPDX-License-Identifier: Apache-2.0

import type { Piece } from '../recognize.ts'
import { unitsOf } from './units.ts'

/* What a recognizer made of a piece, for finding it in the text. */

/** A recognized unit, and when it is said, in seconds of the recording. */
export interface HeardUnit {
  readonly spoken: string
  readonly start: number
  readonly end: number
}

/** A piece of a recording, and what was recognized in it. */
export interface HeardPiece {
  /** seconds, in the recording */
  readonly start: number
  readonly end: number
  readonly units: readonly HeardUnit[]
}

/**
 * The units of a piece. Those of a word share its time; where the recognizer has no times, all share that of the speech.
 * @param end of the piece, in seconds
 * @param language English name
 */
export function heardPiece(
  { start, text, speech, words }: Pick<Piece, 'start' | 'text' | 'speech' | 'words'>,
  end: number,
  language?: string,
): HeardPiece {
  const spans = words ?? [{ text, start: start + speech.start, end: start + speech.end }]
  return { start, end, units: spans.flatMap((span) => unitsIn(span, language)) }
}

function unitsIn(
  { text, start, end }: { readonly text: string; readonly start: number; readonly end: number },
  language: string | undefined,
): HeardUnit[] {
  const units = unitsOf(text, language)
  const at = (i: number) => start + ((end - start) * i) / units.length
  return units.map(({ spoken }, i) => ({ spoken, start: at(i), end: at(i + 1) }))
}
