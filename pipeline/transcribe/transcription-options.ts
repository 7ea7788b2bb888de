// SPDX-License-Identifier: Apache-2.0

import { defined } from '../../eval/runtime/defined.ts'
import type {
  LoadOptions,
  Qwen3Asr,
  TranscribeOptions as RecognitionOptions,
} from '../../eval/runtime/qwen3-asr.ts'
import type { RecognizeOptions } from '../../eval/runtime/recognize.ts'
import { Failure } from '../shared/failure.ts'

/** Formats in which transcripts are written. */
export const FORMATS = ['text', 'json', 'srt', 'vtt'] as const

/** Pieces of subtitles are shorter where words have no times: a cue's time is shared out within one. */
const SUBTITLE_PIECE_SECONDS = 15

/** The name on a command line of audio that comes on stdin. */
export const STDIN = '-'

/** One run's options, as the command line gives them. */
export interface TranscribeOptions
  extends LoadOptions,
    Pick<RecognizeOptions, 'language' | 'context' | 'maxPieceSeconds' | 'maxNewTokens'> {
  readonly files: readonly string[]
  /** undefined: the only one in output/ */
  readonly modelDir?: string
  readonly threads: number
  readonly provider: string
  readonly format: (typeof FORMATS)[number]
  /** JSON as OpenAI's `verbose_json` */
  readonly openai?: boolean
  /** WebVTT with the time of each word; refused where the release has none */
  readonly wordTimestamps?: boolean
  /** undefined: stdout */
  readonly outputDir?: string
  /** samples a second of stdin, where it has no header */
  readonly rate?: number
}

/** Whether a format has cues with times. */
export function isSubtitles(format: TranscribeOptions['format']): format is 'srt' | 'vtt' {
  return format === 'srt' || format === 'vtt'
}

/** What the API is called with for one recording. */
export function recognition(
  options: Pick<TranscribeOptions, 'format' | 'language' | 'context' | 'maxPieceSeconds' | 'maxNewTokens'>,
  { hasWordTimes }: Pick<Qwen3Asr, 'hasWordTimes'>,
  signal: AbortSignal,
): RecognitionOptions {
  const { language, context, format, maxPieceSeconds, maxNewTokens } = options
  const isShared = isSubtitles(format) && !hasWordTimes
  const piece = maxPieceSeconds ?? (isShared ? SUBTITLE_PIECE_SECONDS : undefined)
  return defined({ signal, language, context, maxPieceSeconds: piece, maxNewTokens })
}

/**
 * Check that a loaded variant can give the times of words, which `--word-timestamps` needs.
 * @throws Failure when its graphs do not have them
 */
export function requireWordTimes(
  { hasWordTimes, variant, layout }: Pick<Qwen3Asr, 'hasWordTimes' | 'variant' | 'layout'>,
  folder: string,
): void {
  if (hasWordTimes) return
  throw new Failure(
    `${variant} in ${folder} has no times of words in the ${layout} layout, which --word-timestamps needs.`,
    layout === 'split'
      ? 'Leave --word-timestamps out, or use the fused layout of a release that has them.'
      : 'Leave --word-timestamps out, or make the release again with npm run pipeline: its graphs then have them.',
  )
}
