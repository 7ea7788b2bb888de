// SPDX-License-Identifier: Apache-2.0

import type { AlignerThread } from '../aligner-thread.ts'
import { cutAt } from '../audio/pieces.ts'
import { SAMPLE_RATE } from '../audio/sample-rate.ts'
import { defined } from '../defined.ts'
import { languageName } from '../languages.ts'
import { type AudioInput, openAudio, openBlocks } from '../opened-audio.ts'
import { recognizePieces } from '../recognize.ts'
import type { Recognizer } from '../recognizer.ts'
import { SpeechError } from '../speech-error.ts'
import { workOf } from '../timing.ts'
import { type AlignedAudio, type AlignerTiming, alignText, NO_TIME, type UnitTimes } from './aligner.ts'
import { heardPiece } from './heard-piece.ts'
import { type TextPart, textParts } from './text-parts.ts'

/** Pieces in which a long recording is transcribed, in seconds: several of them are a part, so that there is a choice of cuts. */
const PIECE_SECONDS = 30

interface LongOptions {
  readonly language?: string
  readonly signal: AbortSignal
}

/**
 * Find when the words of a text are said in a recording that is too long for one pass. A recognizer transcribes it first: where what was
 * recognized is what the text says, both are cut. The recording is read twice, and no more than a part of it is held.
 * @throws SpeechError as `alignAudio`, and the signal's reason
 */
export async function alignLong(
  recognizer: Recognizer,
  aligner: AlignerThread,
  input: AudioInput,
  text: string,
  { language, signal }: LongOptions,
): Promise<AlignedAudio> {
  const { settings } = aligner
  const audio = await openAudio(input, Math.min(PIECE_SECONDS, settings.maxSeconds / 2), signal)
  let recognizerSeconds = 0
  const timesOf = async (spoken: readonly string[]): Promise<UnitTimes> => {
    const { pieces } = await recognizePieces(recognizer, audio.cuts, defined({ language }), { signal })
    recognizerSeconds = pieces.reduce((sum, { timing }) => sum + workOf(timing), 0)
    const name = language === undefined ? undefined : languageName(language)
    const heard = pieces.map((piece, i) => heardPiece(piece, pieces[i + 1]?.start ?? audio.seconds(), name))
    const { parts, warnings } = textParts(spoken, heard, settings.maxSeconds)
    const found = await alignParts(aligner, input, parts, spoken, signal)
    return { ...found, warnings: [...warnings, ...found.warnings] }
  }
  try {
    const found = await alignText(text, { settings, ...defined({ language }) }, timesOf)
    for await (const _ of audio.cuts) signal.throwIfAborted() // a text without words
    const about = { seconds: audio.seconds(), sha256: audio.sha256(), notes: [...audio.notes] }
    return { ...about, ...found, recognizerSeconds }
  } finally {
    await audio.close()
  }
}

async function alignParts(
  aligner: AlignerThread,
  input: AudioInput,
  parts: readonly TextPart[],
  spoken: readonly string[],
  signal: AbortSignal,
): Promise<UnitTimes> {
  const { blocks } = await openBlocks(input, signal)
  const ends = parts.map(({ end }) => Math.round(end * SAMPLE_RATE))
  const times: number[] = []
  const warnings: string[] = []
  let timing = NO_TIME
  let i = 0
  for await (const samples of cutAt(blocks, ends)) {
    const part = parts[i++] as TextPart
    const found = await alignPart(aligner, samples, part, spoken, signal)
    for (const time of found.times) times.push(Math.min(part.start + time, part.end))
    const place = `from ${part.start.toFixed(0)} to ${part.end.toFixed(0)} s`
    warnings.push(...found.warnings.map((warning) => `${place} ${warning}`))
    timing = sumOf(timing, found.timing)
  }
  if (i < parts.length) throw new SpeechError('The recording became shorter while it was read.')
  return { times, warnings, timing }
}

/** What was not said is not shown to the aligner, which would find it a place; it is laid where it would stand. */
async function alignPart(
  aligner: AlignerThread,
  samples: Float32Array,
  { from, to, unsaid }: TextPart,
  spoken: readonly string[],
  signal: AbortSignal,
): Promise<UnitTimes> {
  const isUnsaid = (unit: number) => unsaid.some(([first, end]) => unit >= first && unit < end)
  const units = Array.from({ length: to - from }, (_, i) => from + i)
  const said = units.filter((unit) => !isUnsaid(unit)).map((unit) => spoken[unit] as string)
  if (said.length === 0) return { times: units.flatMap(() => [0, 0]), warnings: [], timing: NO_TIME }
  const found = await aligner.alignUnits({ samples, spoken: said }, signal)
  let next = 0
  let last = 0
  const times = units.flatMap((unit) => {
    if (isUnsaid(unit)) return [last, last]
    const [start = last, end = start] = found.times.slice(2 * next, 2 * next + 2)
    next++
    last = end
    return [start, end]
  })
  return { ...found, times }
}

function sumOf(a: AlignerTiming, b: AlignerTiming): AlignerTiming {
  return { mel: a.mel + b.mel, encoder: a.encoder + b.encoder, prefill: a.prefill + b.prefill }
}
