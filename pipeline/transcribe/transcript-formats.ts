// SPDX-License-Identifier: Apache-2.0

import { cuesOf, srt, type TimedText, vtt } from '../../eval/cues.ts'
import type { Segment, Transcript } from '../../eval/runtime/qwen3-asr.ts'
import { printableSpeech } from '../shared/printable.ts'
import { withoutSecrets } from '../shared/redact.ts'
import { jsonLine } from '../shared/terminal.ts'
import { openaiTranscript } from './openai-transcript.ts'
import { roundedWords } from './rounded.ts'
import type { TranscribeOptions } from './transcription-options.ts'

/** The options that decide about the form of a transcript. */
export type Shape = Pick<TranscribeOptions, 'format' | 'openai' | 'wordTimestamps'>

/** A transcript as a file or stdout has it. @param about what JSON says beside it */
export function transcriptContent(transcript: Transcript, about: object, shape: Shape): string {
  switch (shape.format) {
    case 'text':
      return `${printableSpeech(transcript.text)}\n`
    case 'json':
      return jsonLine(transcriptObject(transcript, shape.openai ? {} : about, shape), withoutSecrets)
    case 'srt':
      return srt(cuesOf(transcript.segments.map(printableSegment)))
    case 'vtt':
      return vtt(cuesOf(transcript.segments.map(printableSegment)), {
        marksWords: shape.wordTimestamps === true,
      })
  }
}

/** A transcript as JSON has it. @param about what is said beside it */
export function transcriptObject(
  transcript: Transcript,
  about: object,
  { openai }: Pick<Shape, 'openai'>,
): object {
  if (openai) return { ...about, ...openaiTranscript(transcript) }
  return { ...about, ...transcript, segments: transcript.segments.map(segmentObject) }
}

function segmentObject({ words, tokenIds: _, ...segment }: Segment): object {
  return { ...segment, ...(words && words.length > 0 && { words: roundedWords(words) }) }
}

function printableSegment({ start, end, text, words }: Segment): TimedText {
  return {
    ...{ start, end, text: printableSpeech(text) },
    ...(words && { words: words.map((word) => ({ ...word, text: printableSpeech(word.text) })) }),
  }
}
