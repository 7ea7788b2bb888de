// SPDX-License-Identifier: Apache-2.0

import { deflateSync } from 'node:zlib'
import type { Segment, Transcript } from '../../eval/runtime/qwen3-asr.ts'
import { rounded, roundedWords } from './rounded.ts'

/** Frames of a second, in which Whisper counts. */
const FRAMES = 100

/**
 * A transcript as OpenAI's transcription endpoint answers with `response_format` `verbose_json`
 * (https://platform.openai.com/docs/api-reference/audio/verbose-json-object). Two figures that its clients require of a segment
 * are not known here, and are null. What is optional and not known is left out.
 */
export function openaiTranscript({ text, language, seconds, segments }: Transcript): object {
  const heard = segments.filter((segment) => segment.text !== '')
  const words = heard.flatMap((segment) => roundedWords(segment.words ?? []))
  return {
    task: 'transcribe',
    language: language?.toLowerCase() ?? '',
    duration: rounded(seconds),
    text,
    segments: heard.map(openaiSegment),
    ...(words.length > 0 && { words: words.map(({ text: word, ...times }) => ({ word, ...times })) }),
  }
}

function openaiSegment({ start, end, text, tokenIds }: Segment, id: number): object {
  return {
    ...{
      id,
      seek: Math.floor(start * FRAMES),
      start: rounded(start),
      end: rounded(end),
      text,
      tokens: tokenIds,
    },
    temperature: 0, // the likeliest token is taken
    avg_logprob: null,
    compression_ratio: rounded(compressionRatio(text)),
    no_speech_prob: null,
  }
}

/** As Whisper has it: bytes of the text to bytes of it in zlib's format. */
function compressionRatio(text: string): number {
  const bytes = Buffer.from(text)
  return bytes.length / deflateSync(bytes).length
}
